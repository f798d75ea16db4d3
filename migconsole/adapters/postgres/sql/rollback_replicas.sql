-- Physical replicas that follow this server.
SELECT coalesce(nullif(r.application_name, ''), 'unnamed') AS name, coalesce(host(r.client_addr), 'local') AS address,
       coalesce(r.state, '') AS state
FROM pg_catalog.pg_stat_replication r
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s WHERE s.active_pid = r.pid AND s.datoid IS NOT NULL)
ORDER BY 1, 2
