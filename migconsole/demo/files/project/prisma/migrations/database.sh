# shellcheck shell=bash
# Sourced by the scripts of this project: where the database is and how to ask it something.
#
# DATABASE_URL comes from the environment, else from .env. The password goes to psql through PGPASSWORD, for a command
# line can be read by every user of the machine; a URL without a password uses PGPASSWORD or PGPASSFILE as they are.

set -euo pipefail
umask 077

project="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cd "$project"

if [[ -z "${DATABASE_URL:-}" && -f .env ]]; then
  DATABASE_URL="$(sed -n 's/^DATABASE_URL="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' .env | tail -n 1)"
fi
if [[ -z "${DATABASE_URL:-}" ]]; then
  echo "DATABASE_URL is set neither in the environment nor in .env" >&2
  exit 2
fi

# What only Prisma understands would make libpq refuse the URL.
url="$(printf '%s' "$DATABASE_URL" | sed -E \
  -e 's/([?&])(schema|connection_limit|pool_timeout|pgbouncer|statement_cache_size|socket_timeout|sslaccept|sslidentity|sslpassword)=[^&]*/\1/g' \
  -e 's/\?&+/?/; s/&&+/\&/g; s/[?&]+$//')"
if [[ "$url" =~ ^(postgres(ql)?://[^:/@]*):([^@]*)@(.*)$ ]]; then
  encoded="${BASH_REMATCH[3]}"
  PGPASSWORD="$(printf '%b' "${encoded//%/\\x}")"
  export PGPASSWORD
  url="${BASH_REMATCH[1]}@${BASH_REMATCH[4]}"
fi
export PGCONNECT_TIMEOUT="${PGCONNECT_TIMEOUT:-10}"

# One statement or a script on standard input; bare output.
sql() {
  psql -XAtq -v ON_ERROR_STOP=1 -d "$url" "$@"
}

checksum_of() {
  if command -v sha256sum >/dev/null 2>&1; then
    sha256sum "$1" | cut -d ' ' -f 1
  else
    shasum -a 256 "$1" | cut -d ' ' -f 1
  fi
}
