-- Cumulative counters of one database ($1 is its oid), read by function: the view of them opens pg_database.
SELECT pg_catalog.pg_stat_get_db_xact_commit($1) AS commits,
       pg_catalog.pg_stat_get_db_xact_rollback($1) AS rollbacks,
       pg_catalog.pg_stat_get_db_blocks_hit($1) AS blocks_hit,
       pg_catalog.pg_stat_get_db_blocks_fetched($1) - pg_catalog.pg_stat_get_db_blocks_hit($1) AS blocks_read,
       current_setting('max_connections')::int AS max_connections,
       clock_timestamp() AS server_time
