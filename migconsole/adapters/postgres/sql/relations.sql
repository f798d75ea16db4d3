-- Which of the wanted relations exist ($1 schemas, $2 names, pairwise), and what stands there under another spelling.
SELECT w.schema, w.name,
       c.relkind IS NOT NULL AS found,
       (SELECT format('%I.%I', n2.nspname, c2.relname)
        FROM pg_catalog.pg_class c2 JOIN pg_catalog.pg_namespace n2 ON n2.oid = c2.relnamespace
        WHERE lower(c2.relname) = lower(w.name) AND c2.relkind = ANY ('{r,p,v,m,f}')
          AND n2.nspname NOT IN ('pg_catalog', 'information_schema')
        ORDER BY n2.nspname = w.schema DESC LIMIT 1) AS similar
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (schema, name, place)
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind = ANY ('{r,p,v,m,f}')
ORDER BY w.place
