-- When and where the snapshot is: read in the very transaction that exports it.
SELECT pg_catalog.pg_current_wal_lsn()::text AS lsn,
       pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.now()), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS server_time,
       pg_catalog.pg_database_size(pg_catalog.current_database()) AS size,
       (SELECT pg_catalog.to_char(pg_catalog.timezone('UTC', s.stats_reset), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
          FROM pg_catalog.pg_stat_database s WHERE s.datname = pg_catalog.current_database()) AS stats_reset
