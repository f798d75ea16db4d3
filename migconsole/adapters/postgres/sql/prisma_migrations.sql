-- Prisma's record of migrations, from the schema that is set as the search path.
SELECT migration_name AS name, checksum, started_at, finished_at IS NOT NULL AS finished,
       rolled_back_at IS NOT NULL AS rolled_back, left(coalesce(logs, ''), 2000) AS logs
FROM _prisma_migrations
ORDER BY started_at
