-- Sessions of others in this database: what they write is seen by whoever reads it back.
SELECT pg_catalog.count(*)::int AS clients
  FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database() AND backend_type = 'client backend'
   AND application_name NOT LIKE 'migconsole/%' AND application_name NOT LIKE 'mc/%'
