-- How near wraparound is: by database, and the oldest tables of this one.
SELECT 'database' AS kind, NULL::oid AS oid, datname::text AS name, pg_catalog.age(datfrozenxid) AS xid_age,
       pg_catalog.mxid_age(datminmxid) AS multixact_age,
       current_setting('autovacuum_freeze_max_age')::bigint AS freeze_max,
       current_setting('autovacuum_multixact_freeze_max_age')::bigint AS multixact_freeze_max
FROM pg_catalog.pg_database WHERE datallowconn
UNION ALL
(SELECT 'table', c.oid, NULL, pg_catalog.age(c.relfrozenxid), pg_catalog.mxid_age(c.relminmxid),
        current_setting('autovacuum_freeze_max_age')::bigint,
        current_setting('autovacuum_multixact_freeze_max_age')::bigint
 FROM pg_catalog.pg_class c
 WHERE c.relkind IN ('r', 'm') AND c.relfrozenxid <> '0'
 ORDER BY pg_catalog.age(c.relfrozenxid) DESC LIMIT 20)
