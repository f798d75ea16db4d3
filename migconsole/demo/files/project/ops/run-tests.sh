#!/usr/bin/env bash
# The test suite, against the development copy that ops/apply-to-development.sh makes: schema, first data, smoke tests.

source "$(dirname "${BASH_SOURCE[0]}")/rehearse.sh"

DATABASE_URL="$(elsewhere fulfillment_ops_development)"
export DATABASE_URL
if ! psql -XAtq -d "$DATABASE_URL" -c "SELECT 1" >/dev/null; then
  echo "there is no development copy; run ./ops/apply-to-development.sh first" >&2
  exit 1
fi

output="$(
  ./prisma/migrations/validate-schema.sh || true
  ./prisma/migrations/populate-initial-data.sh || echo "FAIL populate-initial-data"
  ./ops/smoke-test.sh || true
)"
printf '%s\n' "$output"
passed="$(grep -cE '^(ok|PASS) ' <<<"$output" || true)"
failed="$(grep -cE '^(MISSING|INVALID|UNPROVEN|FAILED|FAIL) ' <<<"$output" || true)"
echo "$passed passed, $failed failed"
[[ "$failed" == 0 ]]
