-- Active client sessions of the current database but the console's own, and what they wait for, the oldest statement first.
SELECT a.pid,
       coalesce(r.rolname, a.usesysid::text) AS role,
       coalesce(a.application_name, '') AS application,
       a.backend_type IS NULL AS hidden,
       extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS seconds,
       CASE WHEN a.wait_event_type = 'Lock' THEN 'a lock' WHEN a.wait_event_type IS NOT NULL THEN a.wait_event END AS waits_for,
       left(a.query, 200) AS query
FROM pg_catalog.pg_stat_get_activity(NULL) a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE a.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND ((a.backend_type = 'client backend' AND a.state = 'active') OR a.backend_type IS NULL)
  AND NOT (r.rolname = current_user AND a.application_name LIKE 'migconsole/%')
ORDER BY a.query_start NULLS LAST, a.pid
