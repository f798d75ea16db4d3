-- Tables with rows that nobody has analysed since the counters began: the planner guesses.
SELECT c.oid, greatest(c.reltuples::bigint, pg_catalog.pg_stat_get_live_tuples(c.oid)) AS rows,
       pg_catalog.pg_stat_get_mod_since_analyze(c.oid) AS mods, 8192 * c.relpages::bigint AS size,
       NULL::timestamptz AS analysed
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
  AND pg_catalog.pg_stat_get_last_analyze_time(c.oid) IS NULL
  AND pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid) IS NULL
  AND greatest(c.reltuples::bigint, pg_catalog.pg_stat_get_live_tuples(c.oid)) > 0
ORDER BY 2 DESC LIMIT 200
