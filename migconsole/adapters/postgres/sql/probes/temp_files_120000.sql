-- Temporary files: what is there now in the default place, and what was written since the reset.
-- needs: pg_ls_tmpdir()
SELECT t.files, t.bytes,
       pg_catalog.pg_stat_get_db_temp_files(d.datid) AS files_total,
       pg_catalog.pg_stat_get_db_temp_bytes(d.datid) AS bytes_total
FROM (SELECT datid FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())) d
CROSS JOIN (SELECT count(*) AS files, coalesce(sum(size), 0)::bigint AS bytes FROM pg_catalog.pg_ls_tmpdir()) t
