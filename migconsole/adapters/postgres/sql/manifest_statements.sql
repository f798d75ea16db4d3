-- The statements that give another database the same properties, each cut where the name belongs.
WITH d AS (SELECT oid, datdba, datconnlimit, datacl FROM pg_catalog.pg_database
           WHERE datname = pg_catalog.current_database())
SELECT kind, before, after FROM (
  SELECT 1 AS o, 0::bigint AS n, 'owner' AS kind, 'ALTER DATABASE ' AS before,
         pg_catalog.format(' OWNER TO %I', pg_catalog.pg_get_userbyid(d.datdba)) AS after
    FROM d
  UNION ALL
  SELECT 2, 0, 'limit', 'ALTER DATABASE ', pg_catalog.format(' CONNECTION LIMIT %s', d.datconnlimit)
    FROM d WHERE d.datconnlimit >= -1
  UNION ALL
  SELECT 3, 0, 'comment', 'COMMENT ON DATABASE ',
         pg_catalog.format(' IS %L', pg_catalog.shobj_description(d.oid, 'pg_database'))
    FROM d
  UNION ALL
  SELECT 4, 0, 'revoke', 'REVOKE ALL ON DATABASE ', ' FROM PUBLIC' FROM d
  UNION ALL
  SELECT 5, 0, 'grant', pg_catalog.format('GRANT %s ON DATABASE ', a.privilege_type),
         ' TO ' || CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END
                || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    FROM d, pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
   WHERE a.grantee <> d.datdba
  UNION ALL
  SELECT 6, u.n, CASE WHEN s.setrole = 0 THEN 'setting' ELSE 'role setting' END,
         'ALTER ' || CASE WHEN s.setrole = 0 THEN ''
                          ELSE pg_catalog.format('ROLE %I IN ', pg_catalog.pg_get_userbyid(s.setrole)) END || 'DATABASE ',
         pg_catalog.format(' SET %I TO %s', pg_catalog.split_part(c, '=', 1),
           CASE WHEN pg_catalog.lower(pg_catalog.split_part(c, '=', 1)) IN
                     ('search_path', 'temp_tablespaces', 'session_preload_libraries', 'local_preload_libraries')
                THEN COALESCE((SELECT pg_catalog.string_agg(pg_catalog.quote_literal(
                                 CASE WHEN x LIKE '"%"'
                                      THEN pg_catalog.replace(pg_catalog.substr(x, 2, pg_catalog.length(x) - 2), '""', '"')
                                      ELSE x END), ', ')
                       FROM (SELECT pg_catalog.btrim(m[1]) AS x
                               FROM pg_catalog.regexp_matches(pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1),
                                                              '\s*("(?:[^"]|"")*"|[^,\s][^,]*)', 'g') m) q), '''''')
                ELSE pg_catalog.quote_literal(pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1)) END)
    FROM d JOIN pg_catalog.pg_db_role_setting s ON s.setdatabase = d.oid, pg_catalog.unnest(s.setconfig) WITH ORDINALITY u (c, n)
) x ORDER BY o, before COLLATE "C", n, after COLLATE "C"
