-- Use of the indexes of the watched tables ($1) and of the $2 largest tables, by function.
WITH top AS (
    SELECT c.oid FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
      AND n.nspname NOT LIKE 'pg\_temp%'
      AND (c.oid = ANY ($1::oid[]) OR $2::int > 0)
    ORDER BY c.oid = ANY ($1::oid[]) DESC, c.relpages DESC
    LIMIT $2::int + cardinality($1::oid[])
)
SELECT i.indexrelid AS oid, i.indrelid AS table_oid,
       pg_catalog.pg_stat_get_numscans(i.indexrelid) AS scans,
       pg_catalog.pg_stat_get_tuples_returned(i.indexrelid) AS rows_read,
       pg_catalog.pg_stat_get_tuples_fetched(i.indexrelid) AS rows_fetched,
       8192 * c.relpages::bigint AS size, i.indisunique AS "unique", i.indisprimary AS "primary",
       EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid
               AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')) AS "constraint",
       i.indisvalid AS valid,
       NULL::timestamptz AS last_scan
FROM top
JOIN pg_catalog.pg_index i ON i.indrelid = top.oid
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
