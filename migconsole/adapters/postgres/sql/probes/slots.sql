-- Replication slots by function: the view of them opens pg_database.
SELECT slot_name, slot_type, active, active_pid, temporary,
       NULL::text AS wal_status, NULL::bigint AS safe_bytes, NULL::text AS invalidation, NULL::float8 AS inactive_s,
       pg_catalog.pg_wal_lsn_diff(
           CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_lsn() END, restart_lsn)::bigint AS retained,
       pg_catalog.age(xmin) AS xmin_age, pg_catalog.age(catalog_xmin) AS catalog_xmin_age
FROM pg_catalog.pg_get_replication_slots()
