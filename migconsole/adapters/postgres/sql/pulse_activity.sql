-- Client sessions by state, for the target's database ($1 is its oid) and for all others. Reads shared memory only, so
-- it works while catalogues and tables are locked. A session of another role that we may not look into has no type.
SELECT coalesce(datid = $1, false) AS in_target,
       CASE WHEN backend_type IS NULL THEN 'hidden' ELSE coalesce(state, 'starting') END AS state,
       count(*) AS sessions,
       count(*) FILTER (WHERE wait_event_type = 'Lock') AS blocked,
       max(extract(epoch FROM clock_timestamp() - xact_start))::float8 AS oldest_xact
FROM pg_catalog.pg_stat_get_activity(NULL)
WHERE (backend_type = 'client backend' OR (backend_type IS NULL AND datid <> 0))
  AND pid <> pg_catalog.pg_backend_pid()
GROUP BY 1, 2
