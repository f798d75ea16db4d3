"""Checks of backups and of the way back: programs, folder, the stored copy, and whether a rollback is possible."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migconsole.adapters.backup import directory as storage
from migconsole.adapters.backup.clients import Choice, choose, find_clients
from migconsole.adapters.backup.preflight import Assumptions, examine
from migconsole.adapters.backup.tools import Toolbox
from migconsole.adapters.postgres.checks.base import Findings, Probe, check, size, text
from migconsole.adapters.postgres.failures import redacted
from migconsole.adapters.postgres.observing import list_relations, read_catalogue
from migconsole.adapters.postgres.rollback import reading
from migconsole.adapters.postgres.rollback.survey import Knowledge, PostgresRollbackServer
from migconsole.adapters.postgres.sides import SideKeeper
from migconsole.adapters.volumes import standing, volume
from migconsole.domain.manifest import Manifest, Observed, Origin, Properties
from migconsole.domain.quantities import format_size
from migconsole.domain.rollback_options import options
from migconsole.engine.ports import CheckResult
from migconsole.errors import MigconsoleError

DUMP_LIMIT = 12.0
"""Seconds for the trial dump of the schema: it reads catalogues, and a check must end."""

_NOBODY = "0" * 12


@check(
    "backup_tools",
    "Client programs that fit the server are here, and pg_dump can read the schema with this role.",
    arguments={"directory": "folder of the backups, which must be ours to write; without it none is looked at"},
    values={
        "version": "version of the client programs that a backup would use",
        "same_major": "whether they are of the server's major",
        "compression": "zstd:3, or gzip",
        "readable": "whether pg_dump could read the schema; null when that took too long",
        "free": "bytes free in the directory; null without one, or when unknown",
    },
)
async def backup_tools(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """A version that fits is not enough: a trial dump of the schema shows whether the role may read everything."""
    found = Findings()
    given = text(arguments, "directory")
    free = await asyncio.to_thread(_folder, probe.path(given), found) if given else None
    if free is not None:
        found.note(f"{format_size(free)} free there")
    try:
        choice = await asyncio.to_thread(lambda: choose(find_clients(), probe.target, probe.identity.version))
    except MigconsoleError as error:
        found.bad(f"{error.title}: {error.detail} {error.remedy}")
        return found.result({"version": None, "same_major": None, "compression": None, "readable": False, "free": free})
    clients = choice.clients
    found.good(f"client programs {clients.version} in {clients.bindir}: {choice.why}")
    if not choice.same_major:
        found.note("they are of another major than the server: a restore is judged by its manifest alone")
    readable = await _trial(probe, choice, found)
    return found.result(
        {
            "version": clients.version,
            "same_major": choice.same_major,
            "compression": choice.compression or "gzip",
            "readable": readable,
            "free": free,
        }
    )


async def _trial(probe: Probe, choice: Choice, found: Findings) -> bool | None:
    toolbox = Toolbox(choice.clients, probe.target, "migconsole/trial", lambda line: redacted(line, probe.target))
    words = ("--no-password", "--schema-only", "--lock-wait-timeout=2s", "-f", os.devnull)
    try:
        async with asyncio.timeout(DUMP_LIMIT):
            ended = await toolbox.run("pg_dump", *words)
    except TimeoutError:
        found.unknown(f"pg_dump did not read the schema within {DUMP_LIMIT:g} s")
        return None
    if ended.code == 0:
        found.good("pg_dump reads the schema")
        return True
    found.bad(f"pg_dump cannot read the schema: {' · '.join(ended.lines[-2:]) or ended.code}")
    return False


@check(
    "backup_planned",
    "A backup can be taken: its folder can be written by us alone, and has room for the whole database.",
    arguments={"directory": "folder of the backups on this host; required"},
    values={
        "free": "bytes free where the backup goes; null when unknown",
        "database": "bytes of the database, more than any dump of it takes",
        "backups": "how many whole backups lie there already",
    },
)
async def backup_planned(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """A dump is compressed and has no indexes; room for all of the database is on the safe side."""
    found = Findings()
    database = (await probe.row("current_size"))["size"]
    given = text(arguments, "directory")
    if not given:
        found.unknown("no directory is named: write {name: backup_planned, directory: ./backups}")
        return found.result({"free": None, "database": database, "backups": None})
    folder = probe.path(given)
    free = await asyncio.to_thread(_folder, folder, found)
    if free is not None:
        say = found.good if free >= database else found.bad
        say(f"{format_size(free)} free in {folder}, the database takes {format_size(database)}")
    whole = await asyncio.to_thread(_whole, folder)
    found.note(f"{whole} whole backups lie there")
    return found.result({"free": free, "database": database, "backups": whole})


def _folder(folder: Path, found: Findings) -> int | None:
    """Whether the folder, or the nearest one above it that exists, can be written; bytes free there."""
    there = standing(folder)
    if not os.access(there, os.W_OK | os.X_OK):
        found.bad(f"{there} cannot be written")
    elif there != folder:
        found.good(f"{folder} will be made, for us alone")
    elif stat.S_IMODE(folder.stat().st_mode) & 0o022:
        found.bad(f"others can write to {folder}; chmod it to 700")
    else:
        found.good(f"{folder} can be written")
    room = volume("backups", folder)
    if room.free is None:
        found.unknown(f"free space in {there} cannot be read: {room.why}")
    return room.free


def _whole(folder: Path) -> int:
    try:
        return sum(entry.state == "whole" for entry in storage.look(folder))
    except MigconsoleError:
        return 0


@check(
    "backup_stored",
    "A backup is whole, ours alone, and a copy of it elsewhere is the same to the byte.",
    arguments={
        "backup": "the backup's folder; required",
        "copy": "folder of the copy, where it can be reached from here; without it a person is asked",
    },
    values={
        "whole": "whether every file has its checksum",
        "private": "whether nobody else can read it",
        "copied": "whether the copy is whole and of the same backup; null without one",
        "elsewhere": "whether the copy lies on another volume; null without one",
        "size": "bytes of the dump",
    },
)
async def backup_stored(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Every byte of both is read: a copy that was never read back is a hope."""
    found = Findings()
    values: dict[str, Any] = dict.fromkeys(("whole", "private", "copied", "elsewhere", "size"))
    given, copy = text(arguments, "backup"), text(arguments, "copy")
    if not given:
        found.unknown("no backup is named: write {name: backup_stored, backup: ${backup.path}}")
        return found.result(values)
    path = probe.path(given)
    backup = await _verified(path, "the backup", found)
    values["whole"] = backup is not None
    if backup is None:
        return found.result(values)
    values["size"] = backup.manifest.dump_bytes
    values["private"] = await asyncio.to_thread(_private, path, found)
    if not copy:
        found.unknown("no copy is named: is there one on another machine?")
        return found.result(values)
    other = await _verified(probe.path(copy), "the copy", found)
    values["copied"] = other is not None and other.digest == backup.digest
    if other is not None and other.digest != backup.digest:
        found.bad("the copy is of another backup")
    if other is not None:
        values["elsewhere"] = os.stat(other.path).st_dev != os.stat(path).st_dev
        if not values["elsewhere"]:
            found.unknown("the copy lies on the same volume as the backup")
        await asyncio.to_thread(_private, other.path, found)
    return found.result(values)


async def _verified(path: Path, what: str, found: Findings) -> storage.Backup | None:
    try:
        backup = await asyncio.to_thread(storage.verify, path)
    except MigconsoleError as error:
        found.bad(f"{what}: {error.title}: {' · '.join(error.detail.splitlines()[:4])}")
        return None
    found.good(
        f"{what} is whole: {path}, {format_size(backup.manifest.dump_bytes)}, taken {backup.manifest.server_time}"
    )
    return backup


def _private(path: Path, found: Findings) -> bool:
    """Whether everything belongs to us and nobody else has any right on it."""
    open_ = [
        entry
        for entry in (path, *path.rglob("*"))
        if stat.S_IMODE(entry.stat().st_mode) & 0o077 or entry.stat().st_uid != os.geteuid()
    ]
    if open_:
        found.bad(f"others can read {open_[0]}, or own it: chmod -R go= {path}")
    else:
        found.good(f"nobody else can read {path}")
    return not open_


@check(
    "rollback_feasible",
    "Whether the database can be rolled back by a swap: rights, roles, extensions, room, and what stands in the way.",
    arguments={
        "disk_free": "free space on the server, where it cannot be seen from here",
        "rewrites": "what the migration rewrites; default: as much as the largest table",
    },
    values={
        "blocked": "list of what would make a proof fail",
        "swap_blocked": "list of what stands in the way of a swap now",
        "unknown": "list of what cannot be seen from here",
        "strategies": "list of the strategies that are possible now",
    },
)
async def rollback_feasible(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """The same questions that a proof asks before it begins, of the database as it is now."""
    found = Findings()
    free = size(arguments, "disk_free", -1)
    rewrites = size(arguments, "rewrites", -1)
    assumed = Assumptions(int(free) if free >= 0 else None, int(rewrites) if rewrites >= 0 else None)
    manifest = await _present(probe)
    async with SideKeeper.opened(probe.target, manifest.database, "check", lock=False) as keeper:
        findings = await examine(keeper, probe.identity, manifest, 1, assumed)
    say = {"ok": found.good, "note": found.note, "swap": found.unknown, "unknown": found.unknown, "block": found.bad}
    for finding in findings:
        say[finding.level]("; ".join(filter(None, (finding.what, finding.remedy))))
    by_level = {level: [f.what for f in findings if f.level == level] for level in ("block", "swap", "unknown")}
    strategies = await _strategies(probe, found)
    return found.result(
        {
            "blocked": by_level["block"],
            "swap_blocked": by_level["swap"],
            "unknown": by_level["unknown"],
            "strategies": strategies,
        }
    )


async def _present(probe: Probe) -> Manifest:
    """The database as a manifest that was never written: what a backup taken now would say about it."""
    identity = probe.identity
    catalogue = await read_catalogue(probe.connection)
    relations = tuple(entry.relation for entry in await list_relations(probe.connection))
    row = await probe.row("manifest_database")
    return Manifest(
        id="now",
        database=identity.database,
        origin=Origin(identity.system_identifier, identity.host, identity.port, identity.oid, identity.user),
        server_version=identity.version,
        client_version="",
        client_path="",
        server_time="now",
        local_time="",
        lsn="",
        snapshot="",
        observed=Observed(relations, extensions=catalogue.extensions),
        properties=Properties(owner=row["owner"], tablespace=row["tablespace"]),
        roles=tuple(role["name"] for role in await probe.rows("manifest_roles")),
        database_bytes=(await probe.row("current_size"))["size"],
    )


async def _strategies(probe: Probe, found: Findings) -> list[str]:
    """The strategies of a rollback, each possible now or with the reason against it."""
    try:
        owners = await reading.discover(probe.target)
        owner = owners[0] if owners else _NOBODY
        survey = await PostgresRollbackServer(probe.target, Knowledge(owner)).survey()
    except MigconsoleError as error:
        found.unknown(f"the strategies cannot be told: {error.title}")
        return []
    possible = []
    for option in options(survey):
        if option.why_not:
            found.note(f"{option.title}: not now, {'; '.join(option.why_not)}")
        elif option.depends:
            found.note(f"{option.title}: {'; '.join(option.depends)}")
        else:
            found.note(f"{option.title}: possible")
            possible.append(option.strategy.value)
    return possible
