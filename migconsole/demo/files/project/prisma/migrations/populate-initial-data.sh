#!/usr/bin/env bash
# Fills the new tables with their first rows. Rows that are there already stay as they are, so it can be run again.

source "$(dirname "${BASH_SOURCE[0]}")/database.sh"

populate() {
  local table="$1" rows
  rows="$(sql -c "WITH added AS ($2 ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM added")"
  echo "Populated $table: $rows rows added, $(sql -c "SELECT count(*) FROM $table") in all"
}

populate budgets "
  INSERT INTO budgets (client_id, period, starts_on, amount, spent)
  SELECT c.id, 'QUARTER', date_trunc('quarter', o.last)::date, round(o.total / 6, 2), 0
  FROM clients c
  JOIN (SELECT client_id, sum(total) AS total, max(placed_at) AS last FROM orders GROUP BY client_id) o ON o.client_id = c.id
  WHERE c.active"

populate dashboard_layouts "
  INSERT INTO dashboard_layouts (user_id, name, layout, is_default)
  SELECT id, 'Default',
         CASE role WHEN 'VIEWER' THEN '{\"widgets\": [\"orders\", \"shipments\"]}'::jsonb
                   ELSE '{\"widgets\": [\"orders\", \"shipments\", \"budgets\", \"alerts\"]}'::jsonb END, true
  FROM portal_users"

populate user_preferences "
  INSERT INTO user_preferences (user_id, locale, time_zone)
  SELECT u.id,
         CASE c.country WHEN 'DE' THEN 'de-DE' WHEN 'FR' THEN 'fr-FR' WHEN 'NL' THEN 'nl-NL' ELSE 'en-GB' END,
         CASE c.country WHEN 'DE' THEN 'Europe/Berlin' WHEN 'FR' THEN 'Europe/Paris' WHEN 'NL' THEN 'Europe/Amsterdam'
                        ELSE 'Europe/London' END
  FROM portal_users u JOIN clients c ON c.id = u.client_id"

populate benchmark_participation "
  INSERT INTO benchmark_participation (client_id, cohort, opted_in)
  SELECT id, 'fulfilment-' || lower(country), id % 3 <> 0 FROM clients WHERE active"

echo "Initial data complete"
