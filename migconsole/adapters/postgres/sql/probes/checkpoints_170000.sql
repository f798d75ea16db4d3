-- Checkpoints by schedule and on demand.
-- needs: pg_stat_checkpointer.num_timed
SELECT num_timed AS timed, num_requested AS requested, write_time AS write_ms, sync_time AS sync_ms,
       buffers_written AS buffers, stats_reset,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL
            ELSE pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), c.redo_lsn)::bigint END AS since_bytes,
       extract(epoch FROM clock_timestamp() - c.checkpoint_time)::float8 AS since_s,
       pg_catalog.pg_size_bytes(current_setting('max_wal_size')) AS max_wal_size
FROM pg_catalog.pg_stat_checkpointer, pg_catalog.pg_control_checkpoint() c
