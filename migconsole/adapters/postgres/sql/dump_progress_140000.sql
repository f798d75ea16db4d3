-- How far the copying of tables is, of the sessions with this application name in this database.
SELECT p.relid::bigint AS oid, p.tuples_processed AS rows, p.bytes_processed AS bytes
  FROM pg_catalog.pg_stat_progress_copy p
  JOIN pg_catalog.pg_stat_activity a ON a.pid = p.pid
 WHERE p.datname = $1::text AND a.application_name = $2::text
