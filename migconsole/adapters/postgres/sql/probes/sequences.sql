-- How far sequences have come. Reading one opens it, so those that somebody locks strongly are skipped.
-- Of their columns the type counts too: an integer column ends before a bigint sequence does.
WITH locked AS (
    SELECT DISTINCT relation FROM pg_catalog.pg_lock_status()
    WHERE locktype = 'relation'
      AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      AND database = (SELECT datid FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()))
)
SELECT s.seqrelid AS oid, d.refobjid AS table_oid, a.attname::text AS "column",
       pg_catalog.format_type(s.seqtypid, NULL) AS data_type, s.seqcycle AS cycles,
       l.relation IS NOT NULL AS skipped,
       pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT,USAGE') AS readable,
       least(s.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
                                       ELSE s.seqmax END) AS limit_value,
       s.seqincrement > 0 AS ascending,
       CASE WHEN l.relation IS NULL AND pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT,USAGE')
            THEN pg_catalog.pg_sequence_last_value(s.seqrelid) END AS last_value
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid AND c.relpersistence <> 't'
LEFT JOIN locked l ON l.relation = s.seqrelid
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.objsubid = 0
     AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
ORDER BY 1 LIMIT 2000
