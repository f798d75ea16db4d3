-- The server's clock, to compare this host's with.
SELECT pg_catalog.clock_timestamp() AS server_time
