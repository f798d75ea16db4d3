-- The databases of a rollback by name ($1), as pg_database and their comments have them now.
SELECT d.datname::text AS name, d.oid::bigint AS oid, d.datallowconn AS open, d.datconnlimit AS "limit",
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       pg_catalog.pg_get_userbyid(d.datdba)::text AS owner, d.datistemplate AS template,
       (SELECT count(*) FROM pg_catalog.pg_stat_get_activity(NULL) a
        WHERE a.datid = d.oid AND a.pid <> pg_catalog.pg_backend_pid()
          AND a.backend_type IS DISTINCT FROM 'autovacuum worker')::int AS sessions
FROM pg_catalog.pg_database d
WHERE d.datname::text = ANY ($1::text[])
