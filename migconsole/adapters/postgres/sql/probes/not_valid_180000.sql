-- Constraints that were added NOT VALID and never validated.
-- needs: pg_constraint.conenforced
SELECT k.oid, k.conname::text AS "constraint", k.conrelid AS table_oid, k.contype::text AS type,
       k.conenforced AS enforced
FROM pg_catalog.pg_constraint k
WHERE NOT k.convalidated AND k.conrelid <> 0
ORDER BY 1 LIMIT 500
