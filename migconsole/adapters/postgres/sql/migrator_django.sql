-- Django's applied migrations, from the schema that is set as the search path.
SELECT app::text AS app, name::text AS name, applied FROM django_migrations ORDER BY applied, id
