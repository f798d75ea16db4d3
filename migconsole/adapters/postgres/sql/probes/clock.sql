-- The server's clock.
SELECT clock_timestamp() AS server_time
