#!/usr/bin/env bash
# Empties the application's cache folder.

source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

mkdir -p "$state/cache"
entries="$(find "$state/cache" -type f | wc -l | tr -d ' ')"
rm -rf "${state:?}/cache"
mkdir -p "$state/cache"
echo "OK, $entries entries removed"
