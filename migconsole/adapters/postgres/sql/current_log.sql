-- The file the server writes to now in the format $1; superusers, and pg_monitor from 17 on.
SELECT pg_catalog.pg_current_logfile($1) AS path
