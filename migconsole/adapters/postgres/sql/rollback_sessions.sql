-- Sessions in the database with the oid $1 by application, role and address; beyond: this role may not end them.
SELECT coalesce(a.application_name, '') AS application,
       coalesce(r.rolname::text, a.usesysid::text, '') AS role,
       coalesce(host(a.client_addr), 'local') AS address,
       count(*)::int AS count,
       max(extract(epoch FROM clock_timestamp() - a.backend_start))::float8 AS oldest,
       bool_or(NOT (me.rolsuper OR (NOT coalesce(r.rolsuper, true)
               AND (pg_catalog.pg_has_role(a.usesysid, 'USAGE')
                    OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))))) AS beyond
FROM pg_catalog.pg_stat_get_activity(NULL) a
JOIN pg_catalog.pg_roles me ON me.rolname = current_user
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE a.datid = $1 AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
GROUP BY 1, 2, 3
ORDER BY count(*) DESC, 1, 2, 3
