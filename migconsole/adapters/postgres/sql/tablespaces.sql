-- Folders outside the data directory that hold something of the current database.
SELECT t.spcname AS name, pg_catalog.pg_tablespace_location(t.oid) AS location
FROM pg_catalog.pg_tablespace t
WHERE pg_catalog.pg_tablespace_location(t.oid) <> ''
  AND (t.oid = (SELECT dattablespace FROM pg_catalog.pg_database WHERE datname = current_database())
       OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.reltablespace = t.oid))
ORDER BY 1
