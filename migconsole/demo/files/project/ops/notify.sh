#!/usr/bin/env bash
# Sends a notification: the text is the first argument, else standard input. Here it goes to a file.

source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

text="${1:-$(cat)}"
printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$text" >>ops/notifications.log
echo "sent: $text"
