-- Signal every session of the database with the oid $1 that this role may end, all before any is waited for. An
-- autovacuum worker is left to RENAME and DROP, which end it themselves.
SELECT a.pid,
       coalesce(a.application_name, '') AS application,
       coalesce(r.rolname::text, a.usesysid::text, '') AS role,
       coalesce(host(a.client_addr), 'local') AS address,
       coalesce(a.backend_type, '') AS type,
       CASE WHEN me.rolsuper OR (NOT coalesce(r.rolsuper, true)
                 AND (pg_catalog.pg_has_role(a.usesysid, 'USAGE')
                      OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')))
            THEN pg_catalog.pg_terminate_backend(a.pid) END AS signalled
FROM pg_catalog.pg_stat_get_activity(NULL) a
JOIN pg_catalog.pg_roles me ON me.rolname = current_user
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE a.datid = $1 AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
