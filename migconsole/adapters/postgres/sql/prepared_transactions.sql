-- Prepared transactions of the current database: they hold locks and survive restarts.
SELECT gid, owner, extract(epoch FROM clock_timestamp() - prepared)::float8 AS age
FROM pg_catalog.pg_prepared_xacts
WHERE database = current_database()
ORDER BY prepared
