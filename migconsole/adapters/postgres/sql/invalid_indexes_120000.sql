-- Indexes that a failed CREATE INDEX CONCURRENTLY or a failed partition left behind; those being built now are left out.
SELECT format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT (i.indisvalid AND i.indisready)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
ORDER BY 1
