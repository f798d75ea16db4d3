-- Databases whose comment looks like our marker.
SELECT d.datname::text AS name, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
FROM pg_catalog.pg_database d
WHERE pg_catalog.shobj_description(d.oid, 'pg_database') LIKE '{"migconsole"%'
ORDER BY d.oid DESC
