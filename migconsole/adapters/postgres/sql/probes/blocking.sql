-- Each waiter with those it waits for, in queue order and not only by who holds. Takes all lock partitions for a moment
-- per waiter, so it is asked only while somebody waits, and not for more than a hundred.
SELECT pid, pg_catalog.pg_blocking_pids(pid) AS blockers
FROM pg_catalog.pg_stat_get_activity(NULL)
WHERE wait_event_type = 'Lock'
LIMIT 100
