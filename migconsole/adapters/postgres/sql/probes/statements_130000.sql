-- Cumulative statistics of this database's statements, without their texts: those lie in a file that is read whole.
-- needs: pg_stat_statements.total_exec_time
SELECT dbid, userid, true AS toplevel, queryid::text AS queryid, calls, total_exec_time AS total_ms,
       mean_exec_time AS mean_ms, stddev_exec_time AS sd_ms, min_exec_time AS min_ms, max_exec_time AS max_ms, rows,
       shared_blks_hit AS blocks_hit, shared_blks_read AS blocks_read, shared_blks_dirtied AS blocks_dirtied,
       shared_blks_written AS blocks_written, temp_blks_read AS temp_read, temp_blks_written AS temp_written,
       blk_read_time AS read_ms, blk_write_time AS write_ms,
       wal_bytes::bigint AS wal_bytes, NULL::timestamptz AS since
FROM {extension}.pg_stat_statements(false)
WHERE dbid = (SELECT datid FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()))
