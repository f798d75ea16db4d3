-- Made at initdb and kept by physical copies: the same for a primary and its standbys, different for any other cluster.
SELECT system_identifier::text AS system_identifier FROM pg_catalog.pg_control_system()
