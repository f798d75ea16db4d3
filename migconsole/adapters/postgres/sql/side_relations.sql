-- Relations that somebody made here: none in a database that was made from template0 a moment ago.
SELECT pg_catalog.count(*) AS count FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
