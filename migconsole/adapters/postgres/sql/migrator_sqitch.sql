-- Sqitch's deployed changes, and those whose last event is a failure, from the schema that is set as the search path.
SELECT c.change::text AS name, c.project::text AS project, c.script_hash::text AS script_hash,
       c.committed_at AS at, true AS deployed
FROM changes c
UNION ALL
SELECT e.change, e.project, NULL, e.committed_at, false
FROM (SELECT DISTINCT ON (change_id) change_id, change, project, event, committed_at
      FROM events ORDER BY change_id, committed_at DESC) e
WHERE e.event = 'fail' AND NOT EXISTS (SELECT FROM changes d WHERE d.change_id = e.change_id)
ORDER BY at
