-- Settings of the server, for what changes while the run lasts. What only this session set for itself is not one.
SELECT name, CASE WHEN source IN ('session', 'client') THEN reset_val ELSE setting END AS value, source, pending_restart
FROM pg_catalog.pg_settings
WHERE source NOT IN ('session', 'client') AND name NOT IN ('in_hot_standby', 'transaction_read_only')
ORDER BY name
