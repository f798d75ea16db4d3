-- Who holds the advisory lock ($1) that a migration tool takes in this database, and what that session does now.
SELECT l.pid, a.application_name::text AS application, a.state::text AS state,
       extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS seconds,
       left(coalesce(a.query, ''), 200) AS query
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid::bigint = $1 AND l.objsubid = 1 AND l.granted
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
