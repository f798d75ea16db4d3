-- What belongs to the database itself, in no dump without -C.
SELECT pg_catalog.pg_get_userbyid(d.datdba) AS owner, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
       d.datcollate AS collate, d.datctype AS ctype, 'c'::text AS provider, NULL::text AS locale, NULL::text AS icu_rules,
       d.datconnlimit AS connection_limit, d.datacl::text[] AS acl, t.spcname AS tablespace,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
  FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
 WHERE d.datname = pg_catalog.current_database()
