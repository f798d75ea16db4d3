-- What to analyse in a restored database, the largest last. A partitioned table stands for its partitions, which
-- ANALYZE goes through by itself: named beside it, each would be read twice.
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
   AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
 ORDER BY c.relkind = 'p', pg_catalog.pg_table_size(c.oid)
