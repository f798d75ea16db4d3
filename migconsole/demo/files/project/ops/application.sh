# shellcheck shell=bash
# Sourced by the scripts here: the state of the application that uses the database.

source "$(dirname "${BASH_SOURCE[0]}")/../prisma/migrations/database.sh"

state="ops/state"
mkdir -p "$state"

sessions() {
  sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('fulfillment-api', 'fulfillment-worker')"
}

# Wait until a command succeeds, at most this many seconds.
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}
