-- Sizes by relpages, as old as the last VACUUM, ANALYZE or CREATE INDEX; no file is looked at and no lock is asked for.
-- The index of a TOAST table is left out: it is a hundredth of it, and would double the work. Most TOAST tables are
-- empty; saying so keeps the planner from looking each of them up.
SELECT h.oid, h.relkind::text AS kind,
       8192 * (h.relpages + coalesce(i.pages, 0) + coalesce(t.relpages, 0))::bigint AS total,
       8192 * h.relpages::bigint AS heap, 8192 * coalesce(i.pages, 0)::bigint AS indexes,
       8192 * coalesce(t.relpages, 0)::bigint AS toast,
       CASE WHEN h.reltuples >= 0 THEN h.reltuples::bigint END AS rows
FROM pg_catalog.pg_class h
JOIN pg_catalog.pg_namespace n ON n.oid = h.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
     AND n.nspname NOT LIKE 'pg\_temp%'
LEFT JOIN (
    SELECT x.indrelid, sum(c.relpages)::bigint AS pages
    FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
    GROUP BY x.indrelid
) i ON i.indrelid = h.oid
LEFT JOIN pg_catalog.pg_class t ON t.oid = h.reltoastrelid AND t.relkind = 't' AND t.relpages > 0
WHERE h.relkind IN ('r', 'm')
ORDER BY h.oid = ANY ($1::oid[]) DESC, 3 DESC
LIMIT $2::int + cardinality($1::oid[])
