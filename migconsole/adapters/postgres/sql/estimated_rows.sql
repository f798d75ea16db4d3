SELECT c.oid::bigint AS oid, c.reltuples::float8 AS rows
  FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384
