-- Who holds or wants what a lock timeout was hit by, the most likely one first.
SELECT l.pid, l.relation, left(a.query, 80) AS query, l.database = 0 AS shared
FROM pg_catalog.pg_lock_status() l
LEFT JOIN pg_catalog.pg_stat_get_activity(NULL) a ON a.pid = l.pid
WHERE l.locktype = 'relation'
  AND l.mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')
  AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
  AND l.database IN (0, (SELECT datid FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())))
ORDER BY l.mode <> 'AccessExclusiveLock', NOT l.granted, a.xact_start
LIMIT 20
