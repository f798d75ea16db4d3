-- Estimated waste of the watched tables ($1): pages there are against pages the rows would need by planner statistics.
SELECT c.oid, 8192 * c.relpages::bigint AS size, c.reltuples::float8 AS rows, count(s.attname) AS columns_known,
       sum((1 - s.null_frac) * s.avg_width)::float8 AS width,
       coalesce(substring(array_to_string(c.reloptions, ' ') FROM 'fillfactor=([0-9]+)')::int, 100) AS fillfactor,
       pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS readable
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND NOT s.inherited
WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ('r', 'm')
GROUP BY c.oid, c.relpages, c.reltuples, c.reloptions
