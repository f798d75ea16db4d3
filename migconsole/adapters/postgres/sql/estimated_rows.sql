SELECT n.nspname AS schema, c.relname AS name, c.reltuples::float8 AS rows
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384 AND c.reltuples > 0
