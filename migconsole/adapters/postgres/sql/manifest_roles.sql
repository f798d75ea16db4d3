-- Roles that own something here or are named in its privileges; the bootstrap superuser is not recorded there.
SELECT r.rolname AS name,
       pg_catalog.bool_or(d.deptype = 'o') AS owns,
       pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER') AS member
  FROM pg_catalog.pg_shdepend d
  JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
 WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
   AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
 GROUP BY r.rolname, r.oid
 ORDER BY r.rolname::text COLLATE "C"
