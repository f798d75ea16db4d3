-- Ordinary tables with their columns and primary keys; generated columns cannot be given a value.
-- A partition's rows are reached through it, not through its parent.
SELECT n.nspname::text AS schema, c.relname::text AS name,
       array_agg(a.attname::text ORDER BY a.attnum) AS columns,
       array_agg(pg_catalog.format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types,
       array_agg(to_jsonb(a) ->> 'attgenerated' IS NOT NULL AND to_jsonb(a) ->> 'attgenerated' <> '' ORDER BY a.attnum) AS generated,
       (SELECT array_agg(k.attname::text ORDER BY p.place)
        FROM pg_catalog.pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS p (number, place)
        JOIN pg_catalog.pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = p.number
        WHERE i.indrelid = c.oid AND i.indisprimary) AS key
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
GROUP BY c.oid, n.nspname, c.relname
ORDER BY 1, 2
