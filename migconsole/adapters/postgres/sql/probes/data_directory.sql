-- Where the data lies, and what proves that it lies on this host.
SELECT current_setting('data_directory') AS directory, pg_catalog.pg_backend_pid() AS backend,
       (SELECT client_port FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())) AS client_port,
       extract(epoch FROM pg_catalog.pg_postmaster_start_time())::float8 AS started,
       pg_catalog.pg_database_size(current_database()) AS database_size,
       ARRAY (SELECT spcname::text FROM pg_catalog.pg_tablespace WHERE pg_catalog.pg_tablespace_location(oid) <> ''
              ORDER BY oid) AS names,
       ARRAY (SELECT pg_catalog.pg_tablespace_location(oid) FROM pg_catalog.pg_tablespace
              WHERE pg_catalog.pg_tablespace_location(oid) <> '' ORDER BY oid) AS locations
