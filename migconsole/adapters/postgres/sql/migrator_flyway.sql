-- Flyway's history, from the schema that is set as the search path.
SELECT version::text AS version, description::text AS description, type::text AS type, script::text AS script,
       checksum, installed_on, success
FROM flyway_schema_history
ORDER BY installed_rank
