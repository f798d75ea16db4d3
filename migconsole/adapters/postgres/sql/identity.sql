-- Who the server says it is; the part of it that a run pins.
SELECT current_database() AS database,
       current_user AS "user",
       current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS version_num,
       pg_is_in_recovery() AS in_recovery,
       (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) AS oid,
       pg_postmaster_start_time() AS started_at,
       host(inet_server_addr()) AS server_address,
       inet_server_port() AS server_port
