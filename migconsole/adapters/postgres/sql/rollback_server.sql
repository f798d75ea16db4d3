-- The server, and what this role may do with the database $1.
SELECT current_setting('server_version_num')::int AS version_num,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.pg_postmaster_start_time() AS started,
       current_user::text AS "user",
       current_database()::text AS maintenance,
       r.rolsuper AS superuser,
       r.rolcreatedb AS createdb,
       coalesce((SELECT pg_catalog.pg_has_role(d.datdba, 'USAGE')
                 FROM pg_catalog.pg_database d WHERE d.datname::text = $1), false) AS owns,
       to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at
FROM pg_catalog.pg_roles r
WHERE r.rolname = current_user
