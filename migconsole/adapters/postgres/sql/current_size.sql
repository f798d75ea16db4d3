-- Bytes on disk of the current database.
SELECT pg_catalog.pg_database_size(current_database()) AS size
