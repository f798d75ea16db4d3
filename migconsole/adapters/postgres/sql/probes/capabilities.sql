-- Which of the relations ($1, with their columns) and functions ($2) that probes use are here, whatever the version is,
-- and where pg_stat_statements lies.
SELECT 'relation' AS kind, c.relname::text AS name,
       ARRAY (SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM pg_catalog.pg_class c
WHERE c.relname = ANY ($1::text[])
  AND c.relnamespace IN ('pg_catalog'::regnamespace,
                         (SELECT extnamespace FROM pg_catalog.pg_extension WHERE extname = 'pg_stat_statements'))
UNION ALL
SELECT 'function', p.proname::text, NULL
FROM pg_catalog.pg_proc p
WHERE p.proname = ANY ($2::text[]) AND p.pronamespace = 'pg_catalog'::regnamespace
UNION ALL
SELECT 'extension', format('%I', n.nspname), ARRAY [e.extversion]
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
