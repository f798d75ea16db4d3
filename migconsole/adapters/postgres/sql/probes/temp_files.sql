-- Temporary files: what was written since the reset; on 11 nothing says what is there now.
SELECT NULL::bigint AS files, NULL::bigint AS bytes,
       pg_catalog.pg_stat_get_db_temp_files(d.datid) AS files_total,
       pg_catalog.pg_stat_get_db_temp_bytes(d.datid) AS bytes_total
FROM (SELECT datid FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())) d
