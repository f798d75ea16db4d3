#!/usr/bin/env bash
# Shows what the application has logged since its last start; exit 1 when there are errors among it.

source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

log="$state/app.log"
start="$(grep -n ' starting$' "$log" | tail -n 1 | cut -d : -f 1)"
tail -n "+${start:-1}" "$log" | tail -n 40
errors="$(tail -n "+${start:-1}" "$log" | grep -c ' ERROR ' || true)"
echo "$errors errors since the last start"
[[ "$errors" == 0 ]]
