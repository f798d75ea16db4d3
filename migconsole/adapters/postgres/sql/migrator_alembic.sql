-- The heads that Alembic records, from the schema that is set as the search path.
SELECT version_num::text AS version_num FROM alembic_version ORDER BY 1
