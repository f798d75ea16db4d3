SELECT r.rolsuper AS superuser, r.rolcreatedb AS createdb,
       COALESCE((SELECT pg_catalog.pg_has_role(r.oid, d.datdba, 'MEMBER')
                   FROM pg_catalog.pg_database d WHERE d.datname = $1::text), false) AS owns,
       (SELECT pg_catalog.pg_get_userbyid(d.datdba) FROM pg_catalog.pg_database d WHERE d.datname = $1::text) AS owner,
       ARRAY(SELECT o.rolname::text FROM pg_catalog.pg_roles o WHERE o.rolname = ANY ($2::text[])) AS roles,
       ARRAY(SELECT o.rolname::text FROM pg_catalog.pg_roles o
              WHERE o.rolname = ANY ($2::text[]) AND pg_catalog.pg_has_role(r.oid, o.oid, 'MEMBER')) AS member_of,
       EXISTS (SELECT FROM pg_catalog.pg_tablespace t WHERE t.spcname = $3::text) AS tablespace,
       (SELECT pg_catalog.current_setting('max_connections')::int
             - pg_catalog.current_setting('superuser_reserved_connections')::int
             - pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend')::int AS slots,
       (SELECT s.setting::bigint * 1048576 FROM pg_catalog.pg_settings s WHERE s.name = 'max_wal_size') AS max_wal_size,
       pg_catalog.current_setting('archive_mode') <> 'off'
         OR EXISTS (SELECT FROM pg_catalog.pg_replication_slots) AS held
  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
