-- How far the copying of tables is, of the sessions with this application name in this database.
SELECT n.nspname AS schema, c.relname AS name, p.tuples_processed AS rows
  FROM pg_catalog.pg_stat_progress_copy p
  JOIN pg_catalog.pg_stat_activity a ON a.pid = p.pid
  JOIN pg_catalog.pg_class c ON c.oid = p.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE p.datname = pg_catalog.current_database() AND a.application_name = $1::text
