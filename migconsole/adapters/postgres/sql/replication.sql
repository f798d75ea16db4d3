-- Standbys and other receivers of this server, with what each has still to replay. Without pg_read_all_stats the
-- state is NULL.
SELECT application_name, host(client_addr) AS address, state, sync_state,
       pg_catalog.pg_wal_lsn_diff(
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, replay_lsn
       )::bigint AS lag_bytes
FROM pg_catalog.pg_stat_replication
ORDER BY application_name
