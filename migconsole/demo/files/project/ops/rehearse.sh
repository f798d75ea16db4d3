# shellcheck shell=bash
# Sourced by the scripts that try the migrations on a copy of the database, on the same server.

source "$(dirname "${BASH_SOURCE[0]}")/../prisma/migrations/database.sh"

# The URL of another database on the same server.
elsewhere() {
  sed -E "s#^(postgres(ql)?://[^/]*)/[^?]*#\\1/$1#" <<<"$url"
}

# rehearse NAME [pg_dump option]...: copies into the database NAME what pg_dump gives, and migrates that.
rehearse() {
  local name="$1" copy
  shift
  copy="$(elsewhere "$name")"
  psql -XAtq -v ON_ERROR_STOP=1 -d "$(elsewhere postgres)" -c "SET client_min_messages = warning" \
    -c "DROP DATABASE IF EXISTS $name" -c "CREATE DATABASE $name"
  pg_dump -d "$url" --no-owner "$@" | psql -Xq -v ON_ERROR_STOP=1 -d "$copy" >/dev/null
  if [[ " $* " == *" --schema-only "* ]]; then # the record of what is applied belongs to the schema
    pg_dump -d "$url" --data-only --table=_prisma_migrations | psql -Xq -v ON_ERROR_STOP=1 -d "$copy" >/dev/null
  fi
  psql -XAtq -v ON_ERROR_STOP=1 -d "$copy" -c "UPDATE portal_users SET email = 'user' || id || '@example.test'"
  DATABASE_URL="$copy" ./prisma/migrations/apply-all-migrations.sh
}
