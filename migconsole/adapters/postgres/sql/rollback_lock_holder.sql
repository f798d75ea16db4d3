-- Who holds the advisory lock $1 in this database.
SELECT l.pid, coalesce(a.application_name, '') AS application, coalesce(host(a.client_addr), 'local') AS address,
       coalesce(r.rolname::text, '') AS role,
       extract(epoch FROM clock_timestamp() - a.backend_start)::float8 AS age
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_stat_get_activity(NULL) a ON a.pid = l.pid
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.classid::bigint = (($1::bigint >> 32) & 4294967295)
  AND l.objid::bigint = ($1::bigint & 4294967295)
