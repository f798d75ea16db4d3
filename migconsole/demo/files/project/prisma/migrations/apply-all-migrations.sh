#!/usr/bin/env bash
# Applies every migration that has not been applied yet, in order, and stops at the first one that fails.
#
# Does with psql what `prisma migrate deploy` does, and leaves the same record in _prisma_migrations: a row before the
# migration starts, finished_at when it has ended, logs and no finished_at when it failed. Can be run again at any time.

source "$(dirname "${BASH_SOURCE[0]}")/database.sh"

readonly LOCK=72707369 # the advisory lock Prisma's own deployments take
scratch="$(mktemp -d)"
lock_holder=""

finish() {
  exec 8<&- 9>&- || true
  [[ -z "$lock_holder" ]] || wait "$lock_holder" 2>/dev/null || true
  rm -rf "$scratch"
}
trap finish EXIT

take_lock() {
  mkfifo "$scratch/in" "$scratch/out"
  psql -XAtq -v ON_ERROR_STOP=1 -d "$url" <"$scratch/in" >"$scratch/out" &
  lock_holder=$!
  exec 9>"$scratch/in" 8<"$scratch/out"
  echo "SET lock_timeout = '${MIGRATION_LOCK_TIMEOUT:-10s}'; SELECT 'locked' FROM pg_advisory_lock($LOCK);" >&9
  local answer=""
  read -r answer <&8 || true
  if [[ "$answer" != locked ]]; then
    echo "Another deployment holds the migration lock, or the database cannot be reached. Nothing was applied." >&2
    exit 1
  fi
}

create_record() {
  PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning" sql <<'SQL'
CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                  VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum            VARCHAR(64) NOT NULL,
    finished_at         TIMESTAMPTZ,
    migration_name      VARCHAR(255) NOT NULL,
    logs                TEXT,
    rolled_back_at      TIMESTAMPTZ,
    started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
);
SQL
}

refuse_after_failure() {
  local failed
  failed="$(sql -c "SELECT migration_name || ', started ' || to_char(started_at, 'YYYY-MM-DD HH24:MI:SS TZ')
                    FROM _prisma_migrations WHERE finished_at IS NULL AND rolled_back_at IS NULL ORDER BY started_at")"
  if [[ -n "$failed" ]]; then
    echo "A migration has failed before and is not resolved; nothing was applied:" >&2
    printf '  %s\n' "$failed" >&2
    exit 1
  fi
}

record_start() {
  sql -v name="$1" -v checksum="$2" <<'SQL'
INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at)
VALUES (md5(random()::text || clock_timestamp()::text)::uuid::text, :'checksum', :'name', clock_timestamp())
RETURNING id;
SQL
}

record_end() {
  sql -v id="$1" <<'SQL'
UPDATE _prisma_migrations SET finished_at = clock_timestamp(), applied_steps_count = 1 WHERE id = :'id'
RETURNING round(extract(epoch FROM finished_at - started_at)::numeric, 2);
SQL
}

record_failure() {
  sql -v id="$1" -v name="$2" -v said="$(cat "$3")" <<'SQL'
UPDATE _prisma_migrations
SET logs = E'A migration failed to apply.\n\nMigration name: ' || :'name' || E'\n\nDatabase error:\n' || :'said'
WHERE id = :'id';
SQL
}

apply() {
  local name="$1" file="prisma/migrations/$1/migration.sql" id seconds
  local transaction=(--single-transaction)
  # An index that is built concurrently cannot be built inside a transaction.
  ! grep -qi '^[^-]*concurrently' "$file" || transaction=()
  id="$(record_start "$name" "$(checksum_of "$file")")"
  # What psql complains about is shown at once and also kept for the record.
  if { psql -X -v ON_ERROR_STOP=1 ${transaction[@]+"${transaction[@]}"} -d "$url" -f "$file" 2>&1 >&3 |
    tee -i "$scratch/said" >&2; } 3>&1; then
    seconds="$(record_end "$id")"
    echo "    applied in $seconds s"
  else
    record_failure "$id" "$name" "$scratch/said"
    {
      echo "    FAILED: $name"
      echo "    Its changes were rolled back; the migrations after it were not started."
      if grep -q '(client_id, email).* is duplicated' "$scratch/said"; then
        echo "    Remove the duplicate addresses with ./ops/fix-duplicate-emails.sh; then run this script again."
      else
        echo "    Mend the cause, then ./prisma/migrations/resolve-rolled-back.sh $name; then run this script again."
      fi
    } >&2
    exit 1
  fi
}

take_lock
create_record
refuse_after_failure

sql -c "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL" \
  >"$scratch/applied"
found=0
pending=()
for file in prisma/migrations/*/migration.sql; do
  name="$(basename "$(dirname "$file")")"
  found=$((found + 1))
  grep -qxF "$name" "$scratch/applied" || pending+=("$name")
done

sql -c "SELECT format('Database %s at %s:%s, PostgreSQL %s', current_database(), inet_server_addr(),
                      inet_server_port(), current_setting('server_version'))"
echo "$found migrations found in prisma/migrations, ${#pending[@]} pending"
if ((${#pending[@]} == 0)); then
  echo "No pending migrations"
  exit 0
fi

number=0
for name in "${pending[@]}"; do
  number=$((number + 1))
  echo
  echo "[$number/${#pending[@]}] $name"
  apply "$name"
done
echo
echo "${#pending[@]} migrations applied"
