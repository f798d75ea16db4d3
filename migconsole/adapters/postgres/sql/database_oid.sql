-- The row of the target's database, asked from another database; $1 is its name.
SELECT oid FROM pg_catalog.pg_database WHERE datname = $1
