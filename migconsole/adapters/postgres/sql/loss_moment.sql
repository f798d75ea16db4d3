-- What row counters can be compared by: which database, when, how far the WAL is, and since when is counted.
SELECT current_database()::text AS database, d.oid::bigint AS oid, clock_timestamp() AS at,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
            ELSE pg_catalog.pg_current_wal_lsn() END::text AS lsn,
       s.stats_reset, pg_catalog.current_setting('track_counts') = 'on' AS counting
FROM pg_catalog.pg_database d
LEFT JOIN pg_catalog.pg_stat_database s ON s.datid = d.oid
WHERE d.datname = current_database()
