-- Locks worth a name, and sums by backend, from one reading of the lock table. $1 is the target's oid, $2 the watched
-- tables'. Worth a name: waited for, ACCESS EXCLUSIVE, on a watched table, or Prisma's advisory lock.
-- needs: pg_locks.waitstart
WITH l AS (
    SELECT locktype, database, relation, classid, objid, objsubid, pid, mode, granted,
           extract(epoch FROM clock_timestamp() - waitstart)::float8 AS wait_s
    FROM pg_catalog.pg_lock_status()
)
(SELECT 'lock' AS kind, pid, locktype, database, relation, mode, granted, wait_s,
        locktype = 'advisory' AND classid = 0 AND objid = 72707369 AND objsubid = 1 AS prisma,
        0::bigint AS held, 0::bigint AS wanted, 0::bigint AS relations
 FROM l
 WHERE NOT granted
    OR (locktype = 'relation' AND mode = 'AccessExclusiveLock')
    OR (locktype = 'relation' AND database = $1 AND relation = ANY ($2::oid[]))
    OR (locktype = 'advisory' AND classid = 0 AND objid = 72707369 AND objsubid = 1)
 ORDER BY granted, mode <> 'AccessExclusiveLock'
 LIMIT 2000)
UNION ALL
SELECT 'sum', pid, NULL, NULL, NULL, NULL, NULL, max(wait_s), false,
       count(*) FILTER (WHERE granted), count(*) FILTER (WHERE NOT granted),
       count(*) FILTER (WHERE locktype = 'relation' AND granted AND database = $1)
FROM l
WHERE locktype <> 'virtualxid'
GROUP BY pid
