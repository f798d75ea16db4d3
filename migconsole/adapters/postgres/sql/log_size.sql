-- The size of one file ($1), null when it is gone; superusers, or a grant of the function (see server_log).
SELECT (pg_catalog.pg_stat_file($1, true)).size AS size
