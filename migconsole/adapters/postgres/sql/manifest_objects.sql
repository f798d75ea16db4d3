-- Numbers of catalogue objects by kind, of what a dump carries. Invalid indexes are in no dump.
WITH ours AS (
  SELECT c.oid, c.relkind
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND c.relpersistence <> 't'
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
                        AND d.deptype = 'e')
)
SELECT 'indexes' AS kind, pg_catalog.count(*) AS count
  FROM pg_catalog.pg_index i JOIN ours o ON o.oid = i.indrelid WHERE i.indisvalid
UNION ALL
SELECT CASE k.contype WHEN 'p' THEN 'primary keys' WHEN 'u' THEN 'unique constraints' WHEN 'f' THEN 'foreign keys'
                      WHEN 'c' THEN 'check constraints' ELSE 'exclusion constraints' END, pg_catalog.count(*)
  FROM pg_catalog.pg_constraint k JOIN ours o ON o.oid = k.conrelid
 WHERE k.contype IN ('p', 'u', 'f', 'c', 'x')
 GROUP BY k.contype
UNION ALL
SELECT 'constraints that are not validated', pg_catalog.count(*)
  FROM pg_catalog.pg_constraint k JOIN ours o ON o.oid = k.conrelid
 WHERE k.contype IN ('f', 'c') AND NOT k.convalidated
UNION ALL
SELECT 'triggers', pg_catalog.count(*)
  FROM pg_catalog.pg_trigger t JOIN ours o ON o.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'row policies', pg_catalog.count(*)
  FROM pg_catalog.pg_policy p JOIN ours o ON o.oid = p.polrelid
UNION ALL
SELECT 'functions', pg_catalog.count(*)
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
                      AND d.deptype IN ('e', 'i'))
UNION ALL
SELECT 'schemas', pg_catalog.count(*)
  FROM pg_catalog.pg_namespace n
 WHERE n.nspname NOT IN ('information_schema', 'public') AND n.nspname !~ '^pg_'
