-- What the server has written, and how far the slowest standby is behind.
SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), $1::text::pg_catalog.pg_lsn)::bigint AS written,
       (SELECT EXTRACT(epoch FROM pg_catalog.max(r.replay_lag))::float8 FROM pg_catalog.pg_stat_replication r) AS lag,
       (SELECT pg_catalog.max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn))::bigint
          FROM pg_catalog.pg_stat_replication r) AS behind
