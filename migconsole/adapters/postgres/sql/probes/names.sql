-- Names of roles and databases, for sessions read by function.
SELECT 'role' AS kind, oid, rolname::text AS name FROM pg_catalog.pg_roles
UNION ALL
SELECT 'database', oid, datname::text FROM pg_catalog.pg_database
