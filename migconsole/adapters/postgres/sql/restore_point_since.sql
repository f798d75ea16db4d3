-- Seconds since the server's time $1 and bytes of WAL since the position $2; null for an empty one.
SELECT extract(epoch FROM pg_catalog.clock_timestamp() - nullif($1::text, '')::timestamptz)::float8 AS age,
       pg_catalog.pg_wal_lsn_diff(
           CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_lsn() END,
           nullif($2::text, '')::pg_catalog.pg_lsn)::bigint AS wal
