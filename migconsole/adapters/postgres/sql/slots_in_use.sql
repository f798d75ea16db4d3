-- Connection slots: all client sessions of the server against its limit, and whether others' activity may be seen.
SELECT (SELECT count(*) FROM pg_catalog.pg_stat_get_activity(NULL)
        WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid <> 0)) AS server_total,
       current_setting('max_connections')::int AS max_connections,
       current_setting('superuser_reserved_connections')::int AS reserved,
       pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all
