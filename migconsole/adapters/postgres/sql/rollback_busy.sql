-- Statements that run in the database with the oid $1, the longest first: what a killed migrator may have left behind.
-- Not what the same user's console and watcher ask, which leave by themselves.
SELECT a.pid, coalesce(a.application_name, '') AS application,
       extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS seconds,
       cardinality(pg_catalog.pg_blocking_pids(a.pid)) AS waits_for, left(a.query, 160) AS query
FROM pg_catalog.pg_stat_get_activity(NULL) a
WHERE a.datid = $1 AND a.state = 'active' AND a.pid <> pg_catalog.pg_backend_pid()
  AND (a.backend_type = 'client backend' OR a.backend_type IS NULL)
  AND NOT (a.application_name LIKE 'migconsole/%'
           AND a.usesysid = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user))
ORDER BY a.query_start
LIMIT 5
