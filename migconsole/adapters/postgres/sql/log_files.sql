-- The files of the log directory, the newest first; needs pg_monitor.
SELECT name, size, extract(epoch FROM modification)::float8 AS modified
FROM pg_catalog.pg_ls_logdir()
ORDER BY modification DESC, name DESC
LIMIT 200
