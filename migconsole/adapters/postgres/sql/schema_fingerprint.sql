-- What the schema is made of, one line for each object, independent of oids, dropped columns and statistics.
-- What belongs to an extension is left out (the extension stands for it), and so are the tables ($1) in which migration
-- tools keep their own record. Privileges, owners and storage settings are left out, too.
WITH own AS (
  SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
), rel AS (
  SELECT c.oid, c.relkind, c.relpersistence, c.relrowsecurity, c.relispartition, n.nspname, c.relname, c.relpartbound,
         format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_catalog.pg_class c JOIN own n ON n.oid = c.relnamespace
  WHERE c.relname <> ALL ($1::text[])
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT 'schema' AS kind, nspname::text AS name, '' AS definition FROM own
UNION ALL
SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
       name,
       concat_ws(' ', CASE relpersistence WHEN 'u' THEN 'unlogged' END, CASE WHEN relrowsecurity THEN 'row security' END,
                 CASE WHEN relkind = 'p' THEN 'partitioned' END, pg_catalog.pg_get_expr(relpartbound, oid),
                 CASE WHEN relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(oid) END)
FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL
SELECT 'column', format('%s.%I', rel.name, a.attname),
       concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END,
                 'default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), 'identity ' || nullif(a.attidentity::text, ''),
                 'generated ' || nullif(to_jsonb(a) ->> 'attgenerated', ''),
                 (SELECT 'collate ' || quote_ident(k.collname) FROM pg_catalog.pg_collation k, pg_catalog.pg_type t
                  WHERE k.oid = a.attcollation AND t.oid = a.atttypid AND t.typcollation <> a.attcollation))
FROM rel
JOIN pg_catalog.pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE rel.relkind IN ('r', 'p', 'f', 'c')
UNION ALL
-- Not-null constraints are rows of their own only from PostgreSQL 18 on; the column says it on every version.
SELECT 'constraint', format('%s on %s', quote_ident(k.conname), rel.name),
       concat_ws(' ', pg_catalog.pg_get_constraintdef(k.oid), CASE WHEN NOT k.convalidated THEN '(not validated)' END)
FROM rel JOIN pg_catalog.pg_constraint k ON k.conrelid = rel.oid
WHERE k.contype NOT IN ('n', 't')
UNION ALL
SELECT 'index', i.name, concat_ws(' ', pg_catalog.pg_get_indexdef(x.indexrelid),
                                  CASE WHEN NOT (x.indisvalid AND x.indisready) THEN '(INVALID)' END)
FROM rel i JOIN pg_catalog.pg_index x ON x.indexrelid = i.oid JOIN rel t ON t.oid = x.indrelid
UNION ALL
SELECT 'sequence', rel.name, concat_ws(' ', pg_catalog.format_type(s.seqtypid, NULL), 'increment', s.seqincrement,
                                       'from', s.seqmin, 'to', s.seqmax, CASE WHEN s.seqcycle THEN 'cycle' END)
FROM rel JOIN pg_catalog.pg_sequence s ON s.seqrelid = rel.oid
UNION ALL
SELECT 'trigger', format('%I on %s', g.tgname, rel.name), concat_ws(' ', pg_catalog.pg_get_triggerdef(g.oid), g.tgenabled)
FROM rel JOIN pg_catalog.pg_trigger g ON g.tgrelid = rel.oid WHERE NOT g.tgisinternal
UNION ALL
SELECT 'policy', format('%I on %s', p.polname, rel.name),
       concat_ws(' ', p.polcmd, p.polpermissive, pg_catalog.pg_get_expr(p.polqual, p.polrelid),
                 pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
FROM rel JOIN pg_catalog.pg_policy p ON p.polrelid = rel.oid
UNION ALL
SELECT 'function', format('%I.%I(%s)', own.nspname, f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid)),
       concat_ws(' ', pg_catalog.pg_get_function_result(f.oid), f.prokind, f.provolatile, f.prosecdef, md5(f.prosrc))
FROM pg_catalog.pg_proc f JOIN own ON own.oid = f.pronamespace
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')
UNION ALL
SELECT 'type', format('%I.%I', own.nspname, t.typname),
       CASE t.typtype
         WHEN 'e' THEN (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                        FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
         ELSE concat_ws(' ', pg_catalog.format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'not null' END,
                        t.typdefault, (SELECT string_agg(pg_catalog.pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname)
                                       FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid))
       END
FROM pg_catalog.pg_type t JOIN own ON own.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT 'extension', quote_ident(e.extname), e.extversion FROM pg_catalog.pg_extension e
ORDER BY 1, 2
