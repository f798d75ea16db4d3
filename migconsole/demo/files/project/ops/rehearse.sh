# shellcheck shell=bash
# Sourced by the scripts that try the migrations on a copy of the database, on the same server.

source "$(dirname "${BASH_SOURCE[0]}")/../prisma/migrations/database.sh"

# The URL of another database on the same server.
elsewhere() {
  sed -E "s#^(postgres(ql)?://[^/]*)/[^?]*#\\1/$1#" <<<"$url"
}

# rehearse NAME: copies the database to NAME on the same server, with invented addresses, and migrates the copy.
rehearse() {
  local name="$1" copy
  copy="$(elsewhere "$name")"
  psql -XAtq -v ON_ERROR_STOP=1 -d "$(elsewhere postgres)" -c "SET client_min_messages = warning" \
    -c "DROP DATABASE IF EXISTS $name" -c "CREATE DATABASE $name"
  pg_dump -d "$url" --no-owner | psql -Xq -v ON_ERROR_STOP=1 -d "$copy" >/dev/null
  psql -XAtq -v ON_ERROR_STOP=1 -d "$copy" -c "UPDATE portal_users SET email = 'user' || id || '@example.test'"
  DATABASE_URL="$copy" ./prisma/migrations/apply-all-migrations.sh
}
