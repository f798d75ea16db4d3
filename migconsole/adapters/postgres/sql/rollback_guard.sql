-- What must not have changed before a destructive statement: the server's role, and the oids of the databases in $1.
SELECT pg_catalog.pg_is_in_recovery() AS in_recovery,
       (SELECT array_agg(d.datname::text ORDER BY d.oid) FROM pg_catalog.pg_database d
        WHERE d.datname::text = ANY ($1::text[])) AS names,
       (SELECT array_agg(d.oid::bigint ORDER BY d.oid) FROM pg_catalog.pg_database d
        WHERE d.datname::text = ANY ($1::text[])) AS oids
