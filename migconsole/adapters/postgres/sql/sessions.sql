-- Every client session of the current database but the console's own. What belongs to a role we may not look into has no state.
SELECT a.pid,
       coalesce(r.rolname, a.usesysid::text) AS role,
       coalesce(a.application_name, '') AS application,
       host(a.client_addr) AS address,
       a.state,
       a.backend_type IS NULL AS hidden,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS xact_age,
       extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS state_age,
       left(a.query, 200) AS query
FROM pg_catalog.pg_stat_get_activity(NULL) a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE a.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND (a.backend_type = 'client backend' OR a.backend_type IS NULL)
  AND NOT (r.rolname = current_user AND a.application_name LIKE 'migconsole/%')
ORDER BY a.xact_start NULLS LAST, a.pid
