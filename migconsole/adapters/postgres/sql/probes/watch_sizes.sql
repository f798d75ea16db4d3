-- Exact sizes of the watched tables ($1) and of the $2 largest by relpages. A table is skipped while anybody holds or
-- wants ACCESS EXCLUSIVE on it, on one of its indexes, on its TOAST table or that one's index: asking for its size
-- would queue there, holding the others, and could make the migration the victim of a deadlock.
WITH top AS (
    SELECT c.oid FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
      AND n.nspname NOT LIKE 'pg\_temp%'
      AND (c.oid = ANY ($1::oid[]) OR $2::int > 0)
    ORDER BY c.oid = ANY ($1::oid[]) DESC, c.relpages DESC
    LIMIT $2::int + cardinality($1::oid[])
),
parts AS (
    SELECT oid AS root, oid AS rel FROM top
    UNION ALL SELECT t.oid, i.indexrelid FROM top t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
    UNION ALL SELECT t.oid, c.reltoastrelid FROM top t JOIN pg_catalog.pg_class c ON c.oid = t.oid
              WHERE c.reltoastrelid <> 0
    UNION ALL SELECT t.oid, i.indexrelid FROM top t JOIN pg_catalog.pg_class c ON c.oid = t.oid
              JOIN pg_catalog.pg_index i ON i.indrelid = c.reltoastrelid WHERE c.reltoastrelid <> 0
),
locked AS (
    SELECT relation, min(pid) AS pid FROM pg_catalog.pg_lock_status()
    WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
      AND database = (SELECT datid FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()))
    GROUP BY relation
),
bad AS (
    SELECT p.root, min(coalesce(l.pid, 0)) AS pid FROM parts p JOIN locked l ON l.relation = p.rel GROUP BY p.root
)
SELECT c.oid, c.relkind::text AS kind, b.root IS NOT NULL AS skipped, b.pid AS locked_by,
       CASE WHEN b.root IS NULL THEN pg_catalog.pg_total_relation_size(c.oid) END AS size,
       8192 * (c.relpages
               + coalesce((SELECT sum(i.relpages) FROM pg_catalog.pg_index x
                           JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid), 0)
               + coalesce((SELECT sum(t.relpages) FROM pg_catalog.pg_class t WHERE t.oid = c.reltoastrelid), 0)
              )::bigint AS estimate
FROM top
JOIN pg_catalog.pg_class c ON c.oid = top.oid
LEFT JOIN bad b ON b.root = c.oid
