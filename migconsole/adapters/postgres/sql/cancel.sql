-- Cancel what the backends with one application name ($1) run now; idle ones have nothing to cancel.
SELECT count(*) FILTER (WHERE pg_catalog.pg_cancel_backend(pid)) AS signalled
FROM pg_catalog.pg_stat_get_activity(NULL)
WHERE application_name = $1
  AND pid <> pg_catalog.pg_backend_pid()
  AND backend_type = 'client backend'
  AND state IS DISTINCT FROM 'idle'
