-- Queries of one database ($1) that replay has cancelled on this standby, by function.
-- needs: pg_stat_get_db_conflict_logicalslot()
SELECT pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.pg_stat_get_db_conflict_lock($1) AS lock,
       pg_catalog.pg_stat_get_db_conflict_snapshot($1) AS snapshot,
       pg_catalog.pg_stat_get_db_conflict_tablespace($1) AS tablespace,
       pg_catalog.pg_stat_get_db_conflict_bufferpin($1) AS bufferpin,
       pg_catalog.pg_stat_get_db_conflict_startup_deadlock($1) AS deadlock,
       pg_catalog.pg_stat_get_db_conflict_logicalslot($1) AS slot, pg_catalog.pg_stat_get_db_conflict_all($1) AS "all",
       (extract(epoch FROM current_setting('max_standby_streaming_delay')::interval))::float8 AS max_delay_s
