-- The server's timeline: another one after a failover.
SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()
