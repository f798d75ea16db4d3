-- The databases of these names, as far as they are there.
SELECT d.datname AS name, d.oid::bigint AS oid, d.datallowconn AS open, d.datconnlimit AS limit,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       pg_catalog.pg_get_userbyid(d.datdba) AS owner,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid) AS sessions
  FROM pg_catalog.pg_database d WHERE d.datname = ANY ($1::text[])
