-- What the schema is made of, hashed by kind from raw columns: no text that would open a table is built.
-- Object numbers are left out of the hash, so that a restored copy has the same one; names stand for them.
WITH own AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.reloptions
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
      AND n.nspname NOT LIKE 'pg\_temp%'
),
facts AS (
    SELECT 'relations' AS kind,
           concat_ws('|', nspname, relname, relkind, relpersistence, relrowsecurity, reloptions) AS f
    FROM own
    UNION ALL
    SELECT 'columns', concat_ws('|', o.nspname, o.relname, a.attnum, a.attname,
                                pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
                                a.atthasdef, a.attidentity, a.attstorage)
    FROM own o JOIN pg_catalog.pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE o.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
    UNION ALL
    SELECT 'indexes', concat_ws('|', o.nspname, o.relname, t.relname, i.indkey, i.indisunique, i.indisprimary,
                                i.indisvalid, i.indoption, i.indexprs IS NOT NULL, i.indpred IS NOT NULL)
    FROM own o JOIN pg_catalog.pg_index i ON i.indexrelid = o.oid JOIN own t ON t.oid = i.indrelid
    UNION ALL
    SELECT 'constraints', concat_ws('|', o.nspname, o.relname, k.conname, k.contype, k.conkey, k.confkey, f.relname,
                                    k.convalidated, k.condeferrable, k.confupdtype, k.confdeltype)
    FROM own o JOIN pg_catalog.pg_constraint k ON k.conrelid = o.oid LEFT JOIN own f ON f.oid = k.confrelid
    UNION ALL
    SELECT 'triggers', concat_ws('|', o.nspname, o.relname, t.tgname, t.tgtype, t.tgenabled)
    FROM own o JOIN pg_catalog.pg_trigger t ON t.tgrelid = o.oid AND NOT t.tgisinternal
)
SELECT kind, pg_catalog.md5(string_agg(f, E'\n' ORDER BY f COLLATE "C")) AS hash, count(*) AS objects
FROM facts GROUP BY kind ORDER BY kind
