-- The watched tables ($1 schemas, $2 names) with their partitions and everything that belongs to them.
WITH RECURSIVE root(oid) AS (
    SELECT c.oid FROM unnest($1::text[], $2::text[]) AS w(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
    WHERE c.relkind IN ('r', 'p', 'm', 'f')
    UNION
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN root ON root.oid = i.inhparent
)
SELECT oid FROM root
