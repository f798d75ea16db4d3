-- What this database has read, before the server told by whom.
SELECT 'all' AS backend_type, 'relation' AS object, 'normal' AS context,
       pg_catalog.pg_stat_get_db_blocks_fetched(d.datid) - pg_catalog.pg_stat_get_db_blocks_hit(d.datid) AS reads,
       8192 * (pg_catalog.pg_stat_get_db_blocks_fetched(d.datid) - pg_catalog.pg_stat_get_db_blocks_hit(d.datid))
           AS read_bytes,
       pg_catalog.pg_stat_get_db_blk_read_time(d.datid) AS read_ms, NULL::bigint AS writes, NULL::bigint AS write_bytes,
       pg_catalog.pg_stat_get_db_blk_write_time(d.datid) AS write_ms, NULL::bigint AS extends,
       NULL::bigint AS extend_bytes, pg_catalog.pg_stat_get_db_blocks_hit(d.datid) AS hits, NULL::bigint AS evictions,
       NULL::bigint AS fsyncs, pg_catalog.pg_stat_get_db_stat_reset_time(d.datid) AS stats_reset
FROM (SELECT datid FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())) d
