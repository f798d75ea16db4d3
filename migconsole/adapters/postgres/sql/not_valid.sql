-- Constraints that were added NOT VALID and never validated: name, table, and what validates them.
SELECT k.conname::text AS name, format('%I.%I', n.nspname, c.relname) AS "table",
       format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I;', n.nspname, c.relname, k.conname) AS validate
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT k.convalidated AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND k.contype IN ('c', 'f', 'n')
ORDER BY 2, 1
