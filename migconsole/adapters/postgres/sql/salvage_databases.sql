-- The databases of a cluster with their comments, for finding the one that a rollback has kept ($1: all, or one name).
SELECT d.datname::text AS name, d.datallowconn AS open, d.datconnlimit AS limit,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid) AS sessions
FROM pg_catalog.pg_database d
WHERE $1::text = '' OR d.datname = $1
ORDER BY 1
