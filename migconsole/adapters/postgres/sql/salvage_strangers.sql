-- Sessions in a database ($1) other than ours ($2), which came in while it was open.
SELECT pid, usename::text AS "user", application_name::text AS application, coalesce(client_addr::text, 'local') AS address
FROM pg_catalog.pg_stat_activity
WHERE datname = $1 AND pid <> $2 AND backend_type = 'client backend'
