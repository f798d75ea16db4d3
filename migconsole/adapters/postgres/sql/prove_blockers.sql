-- What will stand in the way of the rename swap.
SELECT 'prepared' AS kind, p.gid AS name FROM pg_catalog.pg_prepared_xacts p WHERE p.database = $1::text
UNION ALL
SELECT 'slot', s.slot_name::text FROM pg_catalog.pg_replication_slots s WHERE s.database = $1::text
UNION ALL
SELECT 'subscription', s.subname::text FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = $1::text
 ORDER BY 1, 2
