#!/usr/bin/env bash
# Smoke tests: does what the application does for its users. With names as arguments only these; exit 1 on a failure.

source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

all=(admin-login portal-login clients products alerts order dashboard budgets shipments personalization lead-times)

# Each statement returns true, or it fails.
statement() {
  case "$1" in
    admin-login) echo "SELECT count(*) > 0 FROM portal_users WHERE role = 'ADMIN'" ;;
    portal-login) echo "WITH u AS (UPDATE portal_users SET last_login_at = now() WHERE id = 1 RETURNING 1) SELECT count(*) = 1 FROM u" ;;
    clients) echo "SELECT count(*) = 20 FROM (SELECT id, code, name FROM clients WHERE active ORDER BY name LIMIT 20) c" ;;
    products) echo "SELECT count(*) > 0 AND bool_and(unit_cost < unit_price) FROM (SELECT * FROM products WHERE client_id = 1 ORDER BY sku LIMIT 20) p" ;;
    alerts) echo "SELECT count(*) > 0 FROM alerts WHERE NOT acknowledged" ;;
    order) echo "WITH o AS (INSERT INTO orders (client_id, number, total) VALUES (1, 'SMOKE-' || txid_current(), 42) RETURNING id),
                 i AS (INSERT INTO order_items (order_id, product_id, quantity, unit_price) SELECT o.id, 1, 1, 42 FROM o RETURNING order_id)
                 SELECT count(*) = 1 FROM i" ;;
    dashboard) echo "SELECT count(*) > 0 FROM (SELECT status, count(*) FROM orders WHERE client_id = 1 GROUP BY status) d" ;;
    budgets) echo "SELECT count(*) > 0 AND bool_and(amount > 0) FROM budgets" ;;
    shipments) echo "SELECT count(*) > 0 FROM shipments s JOIN orders o ON o.id = s.order_id WHERE o.client_id = 8" ;;
    personalization) echo "SELECT count(*) > 0 FROM user_preferences p JOIN dashboard_layouts l USING (user_id)" ;;
    lead-times) echo "SELECT count(*) > 0 AND min(lead_time_days) >= 0 FROM shipments WHERE delivered_at IS NOT NULL AND lead_time_days IS NOT NULL" ;;
    *) return 1 ;;
  esac
}

failures=0
(($#)) || set -- "${all[@]}"
for name in "$@"; do
  if ! text="$(statement "$name")"; then
    echo "there is no smoke test $name; there are: ${all[*]}" >&2
    exit 2
  fi
  if [[ "$(sql -c "$text")" == t ]]; then
    echo "PASS $name"
  else
    echo "FAIL $name"
    failures=$((failures + 1))
  fi
done
((failures == 0))
