-- Index builds by function: the view of them opens pg_database.
-- needs: pg_stat_progress_create_index
SELECT pid, datid, relid,
       (ARRAY['CREATE INDEX', 'CREATE INDEX CONCURRENTLY', 'REINDEX', 'REINDEX CONCURRENTLY'])[param1] AS command,
       (ARRAY['initializing', 'waiting for writers before build', 'building index',
              'waiting for writers before validation', 'index validation: scanning index',
              'index validation: sorting tuples', 'index validation: scanning table', 'waiting for old snapshots',
              'waiting for readers before marking dead', 'waiting for readers before dropping'])[param10 + 1] AS phase,
       CASE WHEN param10 = 2 THEN pg_catalog.pg_indexam_progress_phasename(param9::oid, param11) END AS step,
       param7::oid AS index_relid, param4 AS lockers_total, param5 AS lockers_done, param6::int AS locker,
       param16 AS blocks_total, param17 AS blocks_done, param12 AS tuples_total, param13 AS tuples_done
FROM pg_catalog.pg_stat_get_progress_info('CREATE INDEX')
