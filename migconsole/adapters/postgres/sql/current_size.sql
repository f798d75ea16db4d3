-- Bytes on disk of the current database.
-- The condition tells it from the same question of somebody else, which pg_stat_statements would count with it.
SELECT pg_catalog.pg_database_size(current_database()) AS size
WHERE 'migconsole' <> ''
