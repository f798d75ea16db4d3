#!/usr/bin/env bash
# Turns the maintenance page on.

source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

touch "$state/maintenance"
echo "maintenance mode on"
