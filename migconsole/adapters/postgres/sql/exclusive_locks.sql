-- Sessions that hold, or wait for, a lock on a table of this database under which it cannot be dumped; and a migrator
-- that holds Prisma's own lock. VACUUM takes such a lock for moments, in a process that is no client's.
SELECT a.pid, a.usename AS "user", a.application_name AS application, a.state,
       EXTRACT(epoch FROM pg_catalog.clock_timestamp() - COALESCE(a.xact_start, a.query_start))::float8 AS age,
       pg_catalog.bool_or(l.locktype = 'advisory') AS migrator
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
   AND a.backend_type = 'client backend'
   AND ((l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.relation >= 16384)
        OR (l.locktype = 'advisory' AND l.objid = 72707369 AND l.granted))
 GROUP BY a.pid, a.usename, a.application_name, a.state, a.xact_start, a.query_start
 ORDER BY 5 DESC
