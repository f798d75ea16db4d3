-- Bytes on disk of the database with the oid $1: what a second copy of it takes.
SELECT pg_catalog.pg_database_size($1::oid) AS size
