-- What to analyse in a restored database, the largest last. ONLY leaves a partitioned table's partitions out, which are
-- in the list themselves and are so analysed beside each other, each once.
SELECT CASE WHEN c.relkind = 'p' THEN 'ONLY ' ELSE '' END
       || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm')
   AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   -- Those that the backup brought stay: they are what the planner went by. Extended ones are in no backup.
   AND (NOT EXISTS (SELECT FROM pg_catalog.pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname)
        OR EXISTS (SELECT FROM pg_catalog.pg_statistic_ext e WHERE e.stxrelid = c.oid))
 ORDER BY c.relkind = 'p', pg_catalog.pg_table_size(c.oid)
