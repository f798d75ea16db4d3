SELECT v.name, v.version, v.superuser, v.trusted
  FROM pg_catalog.pg_available_extension_versions v WHERE v.name = ANY ($1::text[])
