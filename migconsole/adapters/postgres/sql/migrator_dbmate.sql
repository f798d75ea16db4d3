-- The versions that dbmate has applied, from the schema that is set as the search path.
SELECT version::text AS version FROM schema_migrations ORDER BY 1
