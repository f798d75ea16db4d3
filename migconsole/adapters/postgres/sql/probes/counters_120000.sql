-- Cumulative counters of one database ($1) by function: the view of them opens pg_database.
-- needs: pg_stat_get_db_checksum_failures()
SELECT pg_catalog.pg_stat_get_db_xact_commit($1) AS commits,
       pg_catalog.pg_stat_get_db_xact_rollback($1) AS rollbacks,
       pg_catalog.pg_stat_get_db_blocks_hit($1) AS blocks_hit,
       pg_catalog.pg_stat_get_db_blocks_fetched($1) - pg_catalog.pg_stat_get_db_blocks_hit($1) AS blocks_read,
       pg_catalog.pg_stat_get_db_tuples_returned($1) AS rows_returned,
       pg_catalog.pg_stat_get_db_tuples_fetched($1) AS rows_fetched,
       pg_catalog.pg_stat_get_db_tuples_inserted($1) AS rows_inserted,
       pg_catalog.pg_stat_get_db_tuples_updated($1) AS rows_updated,
       pg_catalog.pg_stat_get_db_tuples_deleted($1) AS rows_deleted,
       pg_catalog.pg_stat_get_db_deadlocks($1) AS deadlocks,
       pg_catalog.pg_stat_get_db_temp_files($1) AS temp_files,
       pg_catalog.pg_stat_get_db_temp_bytes($1) AS temp_bytes,
       pg_catalog.pg_stat_get_db_blk_read_time($1) AS read_ms,
       pg_catalog.pg_stat_get_db_blk_write_time($1) AS write_ms,
       NULL::bigint AS sessions_killed, NULL::bigint AS sessions_abandoned, NULL::bigint AS sessions_fatal,
       pg_catalog.pg_stat_get_db_checksum_failures($1) AS checksum_failures,
       pg_catalog.pg_stat_get_db_stat_reset_time($1) AS stats_reset
