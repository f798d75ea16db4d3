-- The server's clock.
-- The condition tells it from the same question of somebody else, which pg_stat_statements would count with it.
SELECT clock_timestamp() AS server_time
WHERE 'migconsole' <> ''
