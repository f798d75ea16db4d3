-- Which cluster this is, and on which timeline.
SELECT (pg_catalog.pg_control_system()).system_identifier::text AS system_identifier,
       (pg_catalog.pg_control_checkpoint()).timeline_id AS timeline
