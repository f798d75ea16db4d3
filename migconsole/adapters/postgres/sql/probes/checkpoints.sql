-- Checkpoints by schedule and on demand. Until 16 they were counted with the background writer.
-- needs: pg_stat_bgwriter.checkpoints_timed
SELECT checkpoints_timed AS timed, checkpoints_req AS requested, checkpoint_write_time AS write_ms,
       checkpoint_sync_time AS sync_ms, buffers_checkpoint AS buffers, stats_reset,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL
            ELSE pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), c.redo_lsn)::bigint END AS since_bytes,
       extract(epoch FROM clock_timestamp() - c.checkpoint_time)::float8 AS since_s,
       pg_catalog.pg_size_bytes(current_setting('max_wal_size')) AS max_wal_size
FROM pg_catalog.pg_stat_bgwriter, pg_catalog.pg_control_checkpoint() c
