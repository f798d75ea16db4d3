#!/usr/bin/env bash
# Compares the database with what the migrations should have made of it; exit 1 when anything is missing or unsound.

source "$(dirname "${BASH_SOURCE[0]}")/database.sh"

report="$(sql <<'SQL'
WITH wanted (kind, name) AS (
  VALUES
    ('table', 'clients'), ('table', 'products'), ('table', 'orders'), ('table', 'order_items'), ('table', 'shipments'),
    ('table', 'alerts'), ('table', 'portal_users'), ('table', 'AuditLog'), ('table', 'budgets'),
    ('table', 'dashboard_layouts'), ('table', 'user_preferences'), ('table', 'benchmark_participation'),
    ('column', 'products.unit_cost'), ('column', 'order_items.unit_cost'), ('column', 'shipments.lead_time_days'),
    ('foreign key', 'budgets_client_id_fkey'), ('foreign key', 'dashboard_layouts_user_id_fkey'),
    ('foreign key', 'user_preferences_user_id_fkey'), ('foreign key', 'benchmark_participation_client_id_fkey'),
    ('index', 'products_unit_cost_idx'), ('index', 'budgets_client_id_period_starts_on_key'),
    ('index', 'portal_users_client_id_email_key')
), present (kind, name) AS (
  SELECT 'table', c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
  UNION ALL
  SELECT 'column', c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT 'foreign key', conname::text FROM pg_constraint
  WHERE connamespace = 'public'::regnamespace AND contype = 'f' AND convalidated
  UNION ALL
  SELECT 'index', c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE c.relnamespace = 'public'::regnamespace AND i.indisvalid
)
SELECT CASE WHEN p.name IS NULL THEN 'MISSING ' ELSE 'ok      ' END || w.kind || ' ' || w.name
FROM wanted w LEFT JOIN present p USING (kind, name)
UNION ALL
SELECT 'INVALID index ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid
UNION ALL
SELECT 'UNPROVEN constraint ' || conname || ' on ' || conrelid::regclass FROM pg_constraint WHERE NOT convalidated
UNION ALL
SELECT 'FAILED migration ' || migration_name FROM _prisma_migrations WHERE finished_at IS NULL AND rolled_back_at IS NULL
ORDER BY 1;
SQL
)"
printf '%s\n' "$report"
if grep -qv '^ok ' <<<"$report"; then
  echo "Schema is NOT valid: $(grep -cv '^ok ' <<<"$report") problems" >&2
  exit 1
fi
echo "Schema is valid"
