-- Who holds the advisory lock that Prisma takes while it migrates this database.
SELECT l.pid
FROM pg_catalog.pg_locks l
WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid = 72707369 AND l.objsubid = 1 AND l.granted
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
