-- Whether statistics of statements can still be compared: how full they are, and of which version.
-- needs: pg_stat_statements_info.dealloc
SELECT (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_stat_statements') AS version,
       (SELECT count(*) FROM {extension}.pg_stat_statements(false)) AS entries,
       current_setting('pg_stat_statements.max', true)::bigint AS max_entries,
       current_setting('pg_stat_statements.track', true) AS track,
       i.dealloc, i.stats_reset
FROM {extension}.pg_stat_statements_info i
