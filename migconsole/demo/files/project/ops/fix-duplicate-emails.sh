#!/usr/bin/env bash
# Removes portal users that share their address with an older one of the same client and have never logged in. A
# migration that failed because of them is marked as rolled back, so that it can be tried again.

source "$(dirname "${BASH_SOURCE[0]}")/../prisma/migrations/database.sh"

removed="$(sql <<'SQL'
WITH removed AS (
  DELETE FROM portal_users AS later USING portal_users AS older
  WHERE later.client_id = older.client_id AND later.email = older.email AND later.id > older.id
    AND later.last_login_at IS NULL
  RETURNING later.id
)
SELECT count(DISTINCT id) FROM removed;
SQL
)"
echo "$removed duplicate users removed"

left="$(sql -c "SELECT count(*) FROM (SELECT 1 FROM portal_users GROUP BY client_id, email HAVING count(*) > 1) d")"
if ((left > 0)); then
  echo "$left addresses still occur more than once, for people who have logged in; they need a decision" >&2
  exit 1
fi

failed="$(sql -c "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NULL AND rolled_back_at IS NULL
                    AND migration_name LIKE '%\_add\_user\_preferences'")"
if [[ -n "$failed" ]]; then
  ./prisma/migrations/resolve-rolled-back.sh "$failed"
  echo "Run ./prisma/migrations/apply-all-migrations.sh again"
fi
