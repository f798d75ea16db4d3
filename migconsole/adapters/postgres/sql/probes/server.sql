-- Settings and facts of the server that other values are measured against.
SELECT current_setting('max_connections')::int AS max_connections,
       current_setting('superuser_reserved_connections')::int AS superuser_reserved,
       coalesce(current_setting('reserved_connections', true), '0')::int AS reserved,
       (extract(epoch FROM current_setting('deadlock_timeout')::interval))::float8 AS deadlock_timeout_s,
       (extract(epoch FROM current_setting('lock_timeout')::interval))::float8 AS lock_timeout_s,
       pg_catalog.pg_postmaster_start_time() AS started_at,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       current_setting('server_version') AS version
