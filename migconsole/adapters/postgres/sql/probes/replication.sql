-- Standbys of this server by function (the view opens pg_authid), and on a standby one row about itself.
SELECT a.application_name AS standby, w.pid, pg_catalog.host(a.client_addr) AS client, w.state, w.sync_state,
       pg_catalog.pg_wal_lsn_diff(p.position, w.sent_lsn)::bigint AS sent_bytes,
       pg_catalog.pg_wal_lsn_diff(p.position, w.write_lsn)::bigint AS write_bytes,
       pg_catalog.pg_wal_lsn_diff(p.position, w.flush_lsn)::bigint AS flush_bytes,
       pg_catalog.pg_wal_lsn_diff(p.position, w.replay_lsn)::bigint AS replay_bytes,
       extract(epoch FROM w.write_lag)::float8 AS write_s, extract(epoch FROM w.flush_lag)::float8 AS flush_s,
       extract(epoch FROM w.replay_lag)::float8 AS replay_s, NULL::float8 AS reply_s, w.state IS NULL AS hidden
FROM pg_catalog.pg_stat_get_wal_senders() w
JOIN pg_catalog.pg_stat_get_activity(NULL) a ON a.pid = w.pid
CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn()
                        ELSE pg_catalog.pg_current_wal_lsn() END AS position) p
UNION ALL
SELECT '(this standby)', NULL, NULL, 'recovery', NULL, NULL, NULL, NULL,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())::bigint,
       NULL, NULL,
       CASE WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())::float8 END,
       NULL, false
WHERE pg_catalog.pg_is_in_recovery()
