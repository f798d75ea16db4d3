-- Sizes by relpages, as old as the last VACUUM, ANALYZE or CREATE INDEX; no file is looked at and no lock is asked for.
-- needs: pg_stat_progress_cluster
WITH heaps AS MATERIALIZED (
    SELECT c.oid, c.relkind::text AS kind, c.relpages::bigint AS heap, c.reltuples, c.reltoastrelid
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg\_temp%'
),
indexes AS MATERIALIZED (
    SELECT x.indrelid AS oid, sum(i.relpages)::bigint AS pages
    FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
    GROUP BY x.indrelid
)
SELECT h.oid, h.kind, 8192 * (h.heap + coalesce(i.pages, 0) + coalesce(t.relpages, 0) + coalesce(ti.pages, 0)) AS total,
       8192 * h.heap AS heap, 8192 * coalesce(i.pages, 0) AS indexes,
       8192 * (coalesce(t.relpages, 0) + coalesce(ti.pages, 0)) AS toast,
       CASE WHEN h.reltuples >= 0 THEN h.reltuples::bigint END AS rows
FROM heaps h
LEFT JOIN indexes i ON i.oid = h.oid
LEFT JOIN pg_catalog.pg_class t ON t.oid = h.reltoastrelid
LEFT JOIN indexes ti ON ti.oid = h.reltoastrelid
ORDER BY h.oid = ANY ($1::oid[]) DESC, 3 DESC
LIMIT $2::int + cardinality($1::oid[])
