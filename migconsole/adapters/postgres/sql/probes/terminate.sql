-- End one backend ($1 its pid), if it is still the one that was shown ($2 when it began).
SELECT backend_start IS NULL AS hidden,
       CASE WHEN backend_start = $2 THEN pg_catalog.pg_terminate_backend(pid) END AS signalled
FROM pg_catalog.pg_stat_get_activity($1)
