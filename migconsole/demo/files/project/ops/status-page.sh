#!/usr/bin/env bash
# Sets the text of the status page.

source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

printf '%s\n' "${1:?the state to show, such as \"maintenance\"}" >"$state/status-page"
echo "status page: $1"
