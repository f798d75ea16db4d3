-- Every backend that serves somebody. Reads shared memory only, so it works while catalogues and tables are locked.
-- The text of idle sessions is left out: it is what they did last, and there may be a thousand of them.
SELECT pid, datid, usesysid, application_name, pg_catalog.host(client_addr) AS client, backend_type, state,
       wait_event_type, wait_event,
       extract(epoch FROM clock_timestamp() - state_change)::float8 AS state_s,
       extract(epoch FROM clock_timestamp() - query_start)::float8 AS query_s,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS xact_s,
       backend_start, NULL::int AS leader_pid, pg_catalog.age(backend_xmin) AS xmin_age,
       backend_xid IS NOT NULL AS writes,
       query = '<insufficient privilege>' AS hidden,
       CASE WHEN state IS DISTINCT FROM 'idle' THEN left(query, 300) END AS query
FROM pg_catalog.pg_stat_get_activity(NULL)
WHERE datid <> 0 OR usesysid <> 0 OR backend_type IN ('autovacuum worker', 'walsender')
