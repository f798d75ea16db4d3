-- Normalised texts of the statements that are shown ($1), and of those with a mark ($2) in their first $3 characters: the
-- first 4,000 characters of each. The mark may be anybody's, so there is an end to them.
-- needs: pg_stat_statements.queryid
SELECT queryid::text AS queryid, left(query, 4000) AS query
FROM {extension}.pg_stat_statements(true)
WHERE query IS NOT NULL AND (queryid::text = ANY ($1::text[]) OR strpos(left(query, $3::int), $2::text) > 0)
ORDER BY queryid::text = ANY ($1::text[]) DESC
LIMIT 2000
