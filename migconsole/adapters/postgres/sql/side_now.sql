SELECT pg_catalog.pg_current_wal_lsn()::text AS lsn,
       pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.clock_timestamp()), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at
