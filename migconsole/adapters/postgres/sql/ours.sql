-- Backends with one application name ($1), in any database.
SELECT pid, state, extract(epoch FROM clock_timestamp() - query_start)::float8 AS seconds, left(query, 300) AS query
FROM pg_catalog.pg_stat_get_activity(NULL)
WHERE application_name = $1 AND pid <> pg_catalog.pg_backend_pid()
ORDER BY pid
