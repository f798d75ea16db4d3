-- Replication slots and the WAL each one keeps; from 13 the server says itself when a slot is about to be lost.
SELECT slot_name, slot_type, active, wal_status,
       pg_catalog.pg_wal_lsn_diff(
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn
       )::bigint AS retained
FROM pg_catalog.pg_replication_slots
ORDER BY slot_name
