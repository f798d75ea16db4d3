-- Work with a progress of its own, by function: the views of it open pg_database. mark moves whenever anything does.
-- needs: pg_stat_progress_cluster pg_stat_progress_analyze pg_stat_progress_basebackup pg_stat_progress_copy
SELECT pid, datid, relid, 'VACUUM' AS command,
       (ARRAY['initializing', 'scanning heap', 'vacuuming indexes', 'vacuuming heap', 'cleaning up indexes',
              'truncating heap', 'performing final cleanup'])[param1 + 1] AS phase,
       CASE WHEN param1 = 3 THEN param4 ELSE param3 END AS done, param2 AS total, 'blocks' AS unit,
       param1 + param3 + param4 + param5 + param7 AS mark
FROM pg_catalog.pg_stat_get_progress_info('VACUUM')
UNION ALL
SELECT pid, datid, relid, (ARRAY['CLUSTER', 'VACUUM FULL'])[param1],
       (ARRAY['initializing', 'seq scanning heap', 'index scanning heap', 'sorting tuples', 'writing new heap',
              'swapping relation files', 'rebuilding index', 'performing final cleanup'])[param2 + 1],
       CASE WHEN param6 > 0 THEN param7 ELSE param4 END, nullif(param6, 0),
       CASE WHEN param6 > 0 THEN 'blocks' ELSE 'tuples' END, param2 + param4 + param5 + param7 + param8
FROM pg_catalog.pg_stat_get_progress_info('CLUSTER')
UNION ALL
SELECT pid, datid, relid, 'ANALYZE',
       (ARRAY['initializing', 'acquiring sample rows', 'acquiring inherited sample rows', 'computing statistics',
              'computing extended statistics', 'finalizing analyze'])[param1 + 1],
       param3, nullif(param2, 0), 'blocks', param1 + param3 + param5 + param7
FROM pg_catalog.pg_stat_get_progress_info('ANALYZE')
UNION ALL
SELECT pid, datid, relid, 'base backup',
       (ARRAY['initializing', 'waiting for checkpoint to finish', 'estimating backup size', 'streaming database files',
              'waiting for wal archiving to finish', 'transferring wal files'])[param1 + 1],
       param3, nullif(greatest(param2, 0), 0), 'bytes', param1 + param3 + param5
FROM pg_catalog.pg_stat_get_progress_info('BASEBACKUP')
UNION ALL
SELECT pid, datid, relid, (ARRAY['COPY FROM', 'COPY TO'])[param5],
       (ARRAY['file', 'program', 'client', 'callback'])[param6],
       param1, nullif(param2, 0), 'bytes', param1 + param3
FROM pg_catalog.pg_stat_get_progress_info('COPY')
