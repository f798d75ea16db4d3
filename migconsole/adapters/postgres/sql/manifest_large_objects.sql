SELECT pg_catalog.count(*) AS count FROM pg_catalog.pg_largeobject_metadata
