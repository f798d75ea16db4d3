-- Where the data lies; null without pg_read_all_settings, so that the question leaves no error in the server's log.
SELECT CASE WHEN pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')
            THEN current_setting('data_directory', true) END AS data_directory,
       pg_catalog.pg_backend_pid() AS backend,
       pg_catalog.inet_client_port() AS client_port,
       extract(epoch FROM pg_catalog.pg_postmaster_start_time())::float8 AS started
