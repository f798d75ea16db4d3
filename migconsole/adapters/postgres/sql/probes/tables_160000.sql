-- Activity of the watched tables ($1) and the $2 largest, by function: only their own counters are read.
-- needs: pg_stat_user_tables.last_seq_scan
WITH top AS (
    SELECT c.oid FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
      AND n.nspname NOT LIKE 'pg\_temp%'
      AND (c.oid = ANY ($1::oid[]) OR $2::int > 0)
    ORDER BY c.oid = ANY ($1::oid[]) DESC, c.relpages DESC
    LIMIT $2::int + cardinality($1::oid[])
)
SELECT c.oid, s.n_live_tup AS live, s.n_dead_tup AS dead, s.n_mod_since_analyze AS mods,
       s.seq_scan AS seq_scans, s.seq_tup_read AS seq_rows, s.idx_scan AS idx_scans,
       s.n_tup_ins AS inserted, s.n_tup_upd AS updated, s.n_tup_hot_upd AS hot_updated, s.n_tup_del AS deleted,
       s.last_vacuum, s.last_autovacuum, s.last_analyze, s.last_autoanalyze,
       pg_catalog.pg_stat_get_lastscan(c.oid) AS last_seq_scan,
       (SELECT max(pg_catalog.pg_stat_get_lastscan(i.indexrelid)) FROM pg_catalog.pg_index i
        WHERE i.indrelid = c.oid) AS last_idx_scan,
       8192 * c.relpages::bigint AS size
FROM top
JOIN pg_catalog.pg_class c ON c.oid = top.oid
CROSS JOIN LATERAL (
    SELECT pg_catalog.pg_stat_get_live_tuples(c.oid) AS n_live_tup,
           pg_catalog.pg_stat_get_dead_tuples(c.oid) AS n_dead_tup,
           pg_catalog.pg_stat_get_mod_since_analyze(c.oid) AS n_mod_since_analyze,
           pg_catalog.pg_stat_get_numscans(c.oid) AS seq_scan,
           pg_catalog.pg_stat_get_tuples_returned(c.oid) AS seq_tup_read,
           (SELECT sum(pg_catalog.pg_stat_get_numscans(i.indexrelid))::bigint
            FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid) AS idx_scan,
           pg_catalog.pg_stat_get_tuples_inserted(c.oid) AS n_tup_ins,
           pg_catalog.pg_stat_get_tuples_updated(c.oid) AS n_tup_upd,
           pg_catalog.pg_stat_get_tuples_hot_updated(c.oid) AS n_tup_hot_upd,
           pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS n_tup_del,
           pg_catalog.pg_stat_get_last_vacuum_time(c.oid) AS last_vacuum,
           pg_catalog.pg_stat_get_last_autovacuum_time(c.oid) AS last_autovacuum,
           pg_catalog.pg_stat_get_last_analyze_time(c.oid) AS last_analyze,
           pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid) AS last_autoanalyze
) s
