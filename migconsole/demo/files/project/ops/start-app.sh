#!/usr/bin/env bash
# Starts fulfillment-api and fulfillment-worker and waits until they are connected.

source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

there() { [[ "$(sessions)" != 0 ]]; }
alive() { kill -0 "$(cat "$state/pid" 2>/dev/null)" 2>/dev/null; }

rm -f "$state/stopped"
echo "starting fulfillment-api and fulfillment-worker"
if ! alive; then
  "$state/launch"
fi
if ! within 15 there; then
  echo "no session after 15 s; see ops/app-logs.sh" >&2
  exit 1
fi
echo "started ($(sessions) sessions)"
