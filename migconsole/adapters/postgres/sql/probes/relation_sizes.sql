-- What a rewrite of a table has to write, by relpages: the table, and all with its indexes and TOAST.
SELECT c.oid, 8192 * c.relpages::bigint AS heap,
       8192 * (c.relpages
               + coalesce((SELECT sum(i.relpages) FROM pg_catalog.pg_index x
                           JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid), 0)
               + coalesce((SELECT sum(t.relpages) FROM pg_catalog.pg_class t WHERE t.oid = c.reltoastrelid), 0)
              )::bigint AS total
FROM pg_catalog.pg_class c
WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ('r', 'm')
