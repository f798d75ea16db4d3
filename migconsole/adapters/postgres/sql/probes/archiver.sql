-- WAL archiving, with the position in segments so that what is behind can be counted.
SELECT current_setting('archive_mode') <> 'off' AS enabled, a.archived_count, a.last_archived_wal, a.last_archived_time,
       extract(epoch FROM clock_timestamp() - a.last_archived_time)::float8 AS last_s,
       a.failed_count, a.last_failed_wal, a.last_failed_time,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL
            ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END AS current_wal,
       pg_catalog.pg_size_bytes(current_setting('wal_segment_size')) AS segment_size
FROM pg_catalog.pg_stat_get_archiver() a
