-- Normalised texts of the statements that are shown ($1), the first 4,000 characters of each.
-- needs: pg_stat_statements.queryid
SELECT queryid::text AS queryid, left(query, 4000) AS query
FROM {extension}.pg_stat_statements(true)
WHERE queryid::text = ANY ($1::text[]) AND query IS NOT NULL
