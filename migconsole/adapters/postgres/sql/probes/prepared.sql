-- Prepared transactions: they hold locks without a session.
SELECT gid, extract(epoch FROM clock_timestamp() - prepared)::float8 AS age_s, pg_catalog.age(transaction) AS xmin_age,
       ownerid, dbid
FROM pg_catalog.pg_prepared_xact()
