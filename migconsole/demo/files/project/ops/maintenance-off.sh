#!/usr/bin/env bash
# Turns the maintenance page off.

source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

rm -f "$state/maintenance"
echo "maintenance mode off"
