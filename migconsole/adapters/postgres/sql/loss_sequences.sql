-- Where every sequence stands; null where it was never used, or where there is no privilege to see it.
SELECT s.schemaname AS schema, s.sequencename AS name, s.last_value, s.increment_by AS increment
FROM pg_catalog.pg_sequences s
WHERE s.schemaname !~ '^pg_temp'
ORDER BY 1, 2
