-- Triggers that do not fire as usual, those that carry foreign keys included.
SELECT t.oid, t.tgname::text AS trigger, t.tgrelid AS table_oid,
       CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica only' ELSE 'always' END AS state,
       t.tgisinternal AS internal, k.conname::text AS "constraint"
FROM pg_catalog.pg_trigger t
LEFT JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
WHERE t.tgenabled <> 'O'
ORDER BY 1 LIMIT 500
