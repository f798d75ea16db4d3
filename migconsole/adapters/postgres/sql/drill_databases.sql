-- Databases that may be of a drill: with a marker of ours, or without any comment under a name such as ours have. Only
-- of these the size is taken, which reads a whole directory each and needs the right to connect.
SELECT d.datname::text AS name, d.oid::bigint AS oid, d.datallowconn AS open, d.datconnlimit AS "limit",
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       pg_catalog.pg_get_userbyid(d.datdba)::text AS owner,
       CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid) END AS size
FROM pg_catalog.pg_database d
WHERE pg_catalog.shobj_description(d.oid, 'pg_database') LIKE '{"migconsole"%'
   OR (pg_catalog.shobj_description(d.oid, 'pg_database') IS NULL
       AND d.datname::text ~ '__(drill|rb|next|was|failed)_[0-9a-f]{8}$')
ORDER BY d.oid
