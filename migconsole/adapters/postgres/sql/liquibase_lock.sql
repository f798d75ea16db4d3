-- The lock row of Liquibase, which outlives the process that took it, from the schema that is set as the search path.
SELECT lockedby::text AS lockedby, lockgranted FROM databasechangeloglock WHERE locked
