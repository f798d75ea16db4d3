-- How this session stands on the server.
SELECT current_setting('is_superuser') = 'on' AS superuser,
       coalesce((SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls,
       pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all,
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS uptime
