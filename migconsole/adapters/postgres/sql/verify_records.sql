-- Tables of these names ($1) in any schema, in which migration tools keep what they have begun.
SELECT n.nspname::text AS schema, c.relname::text AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = ANY ($1::text[]) AND c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY 1, 2
