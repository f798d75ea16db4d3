-- Where the data lies; needs pg_read_all_settings.
SELECT current_setting('data_directory') AS data_directory,
       pg_backend_pid() AS backend,
       inet_client_port() AS client_port,
       extract(epoch FROM pg_postmaster_start_time())::float8 AS started
