#!/usr/bin/env bash
# Stops fulfillment-api and fulfillment-worker and waits until their sessions are gone.

source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

gone() { [[ "$(sessions)" == 0 ]]; }

touch "$state/stopped"
echo "stopping fulfillment-api and fulfillment-worker ($(sessions) sessions)"
if ! within 15 gone; then
  echo "$(sessions) sessions are still there after 15 s" >&2
  exit 1
fi
echo "stopped"
