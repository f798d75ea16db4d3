-- What stands in the way of renaming or dropping the database with the oid $1.
SELECT 'prepared' AS kind, p.gid::text AS name, format('of %s, %s old', p.owner,
       justify_interval(date_trunc('second', clock_timestamp() - p.prepared))) AS detail, false AS active
FROM pg_catalog.pg_prepared_xacts p
JOIN pg_catalog.pg_database d ON d.datname = p.database
WHERE d.oid = $1
UNION ALL
SELECT 'slot', s.slot_name::text, coalesce(s.plugin::text, ''), s.active
FROM pg_catalog.pg_replication_slots s
WHERE s.datoid = $1
UNION ALL
SELECT 'subscription', s.subname::text, CASE WHEN s.subenabled THEN 'enabled' ELSE 'disabled' END, s.subenabled
FROM pg_catalog.pg_subscription s
WHERE s.subdbid = $1
UNION ALL
SELECT 'worker', a.pid::text, a.backend_type, true
FROM pg_catalog.pg_stat_get_activity(NULL) a
WHERE a.datid = $1
  AND a.backend_type NOT IN ('client backend', 'autovacuum worker', 'walsender', 'parallel worker', 'background writer')
