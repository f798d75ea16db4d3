-- Indexes that say the same as another one, from raw catalogue columns; texts that open the table are not asked for.
SELECT i.indexrelid AS oid, i.indrelid AS table_oid, o.indexrelid AS duplicate_oid,
       8192 * c.relpages::bigint AS size, i.indisunique AS "unique"
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
JOIN pg_catalog.pg_index o ON o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid
     AND o.indkey = i.indkey AND o.indclass = i.indclass AND o.indcollation = i.indcollation
     AND o.indoption = i.indoption
     AND o.indexprs::text IS NOT DISTINCT FROM i.indexprs::text
     AND o.indpred::text IS NOT DISTINCT FROM i.indpred::text
JOIN pg_catalog.pg_class oc ON oc.oid = o.indexrelid AND oc.relam = c.relam
WHERE i.indisvalid AND o.indisvalid
  AND ROW (i.indisprimary, i.indisunique, -i.indexrelid::bigint)
      < ROW (o.indisprimary, o.indisunique, -o.indexrelid::bigint)
ORDER BY 4 DESC LIMIT 500
