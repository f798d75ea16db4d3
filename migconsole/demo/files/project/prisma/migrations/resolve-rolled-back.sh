#!/usr/bin/env bash
# Marks a failed migration as rolled back, so that the next deployment tries it again: what
# `prisma migrate resolve --rolled-back NAME` does. Right only when nothing of the migration is left in the database,
# which is so for one that apply-all-migrations.sh ran in a transaction.

source "$(dirname "${BASH_SOURCE[0]}")/database.sh"

name="${1:?the name of the failed migration}"
resolved="$(sql -v name="$name" <<'SQL'
UPDATE _prisma_migrations SET rolled_back_at = clock_timestamp()
WHERE finished_at IS NULL AND rolled_back_at IS NULL AND migration_name = :'name'
RETURNING migration_name;
SQL
)"
if [[ -z "$resolved" ]]; then
  echo "There is no unresolved failure of $name" >&2
  exit 1
fi
echo "Migration $name marked as rolled back"
