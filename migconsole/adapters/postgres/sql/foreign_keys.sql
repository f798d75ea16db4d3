-- Foreign keys of one schema ($1), partitions' copies left out.
SELECT k.conname AS name, c.relname AS "table", r.relname AS referenced, k.convalidated AS validated
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_class r ON r.oid = k.confrelid
WHERE k.contype = 'f' AND n.nspname = $1 AND k.conparentid = 0
ORDER BY c.relname, k.conname
