-- The server's clock, to compare this host's with.
-- The condition tells it from the same question of somebody else, which pg_stat_statements would count with it.
SELECT pg_catalog.clock_timestamp() AS server_time
WHERE 'migconsole' <> ''
