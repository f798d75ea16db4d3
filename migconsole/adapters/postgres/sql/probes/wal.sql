-- Where the server writes, as a number, so that differences are bytes.
SELECT pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.pg_wal_lsn_diff(
           CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_lsn() END, '0/0')::bigint AS position,
       NULL::bigint AS records, NULL::bigint AS full_pages, NULL::bigint AS buffers_full
