-- Sessions that copy the database $1 out: a pg_dump by its name, and by what it sends where it goes by another name; and
-- the session that keeps a backup's snapshot. Each holds a lock on tables that an ALTER has to wait for.
SELECT a.pid, coalesce(a.application_name, '') AS application,
       coalesce(r.rolname::text, a.usesysid::text, '') AS role,
       coalesce(host(a.client_addr), 'local') AS address,
       extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start))::float8 AS seconds
FROM pg_catalog.pg_stat_get_activity(NULL) a
JOIN pg_catalog.pg_database d ON d.oid = a.datid
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE d.datname::text = $1::text AND a.pid <> pg_catalog.pg_backend_pid()
  AND (a.application_name LIKE 'pg\_dump%'
       OR a.application_name LIKE 'migconsole/%/backup'
       OR (a.state <> 'idle' AND a.query ~* '^\s*(COPY\s.*\sTO\s+STDOUT|LOCK TABLE\s.*\sIN ACCESS SHARE MODE|SET TRANSACTION SNAPSHOT)'))
ORDER BY a.backend_start
