-- Indexes that a failed CREATE INDEX CONCURRENTLY or a failed partition left behind. One that somebody builds right now
-- is not one of them.
-- needs: pg_stat_progress_create_index
SELECT i.indexrelid AS oid, i.indrelid AS table_oid, i.indisvalid AS valid, i.indisready AS ready, i.indislive AS live,
       
       EXISTS (SELECT 1 FROM pg_catalog.pg_stat_get_progress_info('CREATE INDEX') p
               WHERE p.param7::oid = i.indexrelid OR p.relid = i.indrelid) AS building
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
ORDER BY 1 LIMIT 500
