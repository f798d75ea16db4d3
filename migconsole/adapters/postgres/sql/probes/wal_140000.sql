-- Where the server writes, as a number, so that differences are bytes.
-- needs: pg_stat_wal.wal_fpi
SELECT pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.pg_wal_lsn_diff(
           CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_lsn() END, '0/0')::bigint AS position,
       w.wal_records AS records, w.wal_fpi AS full_pages, w.wal_buffers_full AS buffers_full
FROM pg_catalog.pg_stat_get_wal() w
