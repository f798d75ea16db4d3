-- Names and estimated pages of relations: a table's are those a rewrite writes anew, its indexes and TOAST included.
SELECT c.oid, n.nspname = 'public' AS public, format('%I.%I', n.nspname, c.relname) AS name, c.relkind::text AS kind,
       8192 * (c.relpages
               + coalesce((SELECT sum(i.relpages) FROM pg_catalog.pg_index x
                           JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid), 0)
               + coalesce((SELECT sum(t.relpages) FROM pg_catalog.pg_class t WHERE t.oid = c.reltoastrelid), 0)
              )::bigint AS total,
       8192 * c.relpages::bigint AS heap
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::oid[])
