"""What would make a proof, or the swap after it, fail: found before anything is begun, with the command that helps."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migconsole.adapters.postgres.locality import locality
from migconsole.adapters.postgres.sides import SideKeeper
from migconsole.adapters.volumes import volume
from migconsole.domain.manifest import Extension, Manifest
from migconsole.domain.quantities import format_size
from migconsole.domain.rollback import quoted
from migconsole.domain.rollback_survey import Hindrance
from migconsole.domain.volumes import Need, Volume, judge, wal_need
from migconsole.engine.ports import ServerIdentity
from migconsole.errors import MigconsoleError

SESSIONS_BESIDE = 4
"""Sessions of a proof beside those of pg_restore: the operator's, the watching ones, one to count."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. ``level``: ok, note (worth knowing), swap (the rollback would fail), unknown (a person must
    look), block (the proof would fail). ``remedy`` is a command or a sentence."""

    level: str
    what: str
    remedy: str = ""
    room: bool = False
    """Whether it is about room on the server."""

    @property
    def line(self) -> str:
        """For a person."""
        sign = {"ok": "√", "note": " ", "swap": "!", "unknown": "?", "block": "×"}[self.level]
        return f"{sign} {self.what}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the operator says: bytes free on the server's data volume (None: not said), and what the migration will
    rewrite (None: the largest table)."""

    disk_free: int | None = None
    rewrites: int | None = None


async def examine(
    keeper: SideKeeper, identity: ServerIdentity, manifest: Manifest, jobs: int, assumed: Assumptions
) -> list[Finding]:
    """Everything that can be seen before a proof begins. Raises TargetError when the server cannot be asked."""
    app = manifest.database
    roles = sorted({*manifest.roles, manifest.properties.owner})
    (rights,) = await keeper.rows("prove_rights", app, roles, manifest.properties.tablespace)
    findings = [
        *origin(manifest, identity),
        *_rights(rights, manifest, keeper.target.user, jobs),
        *await _extensions(keeper, manifest.observed.extensions, superuser=rights["superuser"]),
        *await _blockers(keeper, app),
        *await _room(keeper, manifest, rights, assumed),
    ]
    return findings


def origin(manifest: Manifest, identity: ServerIdentity) -> list[Finding]:
    """Whether the backup is of this very database: one of another server must not be restored over this name."""
    wrong = []
    was = manifest.origin
    if manifest.database != identity.database:
        wrong.append(f"it is of database {manifest.database}, this is {identity.database}")
    if was.system_identifier is not None and identity.system_identifier is not None:
        if was.system_identifier != identity.system_identifier:
            wrong.append(f"it is of server {was.system_identifier}, this is {identity.system_identifier}")
    elif (was.host, was.port) != (identity.host, identity.port):
        wrong.append(f"it is of {was.host}:{was.port}, this is {identity.host}:{identity.port}")
    if identity.in_recovery:
        wrong.append("this is a standby")
    if wrong:
        return [Finding("block", f"the backup is foreign: {'; '.join(wrong)}", "name a backup of this database")]
    return [Finding("ok", f"backup {manifest.id} is of this database, taken {manifest.server_time}")]


def _rights(rights: Mapping[str, Any], manifest: Manifest, user: str, jobs: int) -> list[Finding]:
    found = []
    if rights["superuser"]:
        found.append(Finding("ok", f"{user} is a superuser"))
    else:
        found += _ordinary(rights, manifest, user)
    missing = sorted({*manifest.roles, manifest.properties.owner} - set(rights["roles"]))
    for role in missing:
        found.append(Finding("block", f"role {role} does not exist", f"CREATE ROLE {quoted(role)}; see globals.sql"))
    if not rights["tablespace"]:
        name = manifest.properties.tablespace
        found.append(
            Finding("block", f"tablespace {name} does not exist", f"CREATE TABLESPACE {quoted(name)} LOCATION …")
        )
    if rights["slots"] < jobs + SESSIONS_BESIDE:
        text = f"{rights['slots']} connections are free, a proof with {jobs} jobs takes {jobs + SESSIONS_BESIDE}"
        found.append(Finding("block", text, "end idle sessions, or use fewer --jobs"))
    return found


def _ordinary(rights: Mapping[str, Any], manifest: Manifest, user: str) -> list[Finding]:
    """What a role that is no superuser needs."""
    found = []
    if not rights["createdb"]:
        found.append(Finding("block", f"{user} may not create databases", f"ALTER ROLE {quoted(user)} CREATEDB"))
    if not rights["owns"]:
        owner = rights["owner"] or manifest.properties.owner
        text = f"{user} is not the owner of {manifest.database} ({owner}), and only the owner can rename it"
        found.append(Finding("block", text, f"GRANT {quoted(owner)} TO {quoted(user)}"))
    for role in sorted({*manifest.roles, manifest.properties.owner} & set(rights["roles"]) - set(rights["member_of"])):
        if role != user:
            text = f"{user} cannot give objects to {role}, which the backup names"
            found.append(Finding("block", text, f"GRANT {quoted(role)} TO {quoted(user)}"))
    if any(statement.kind == "role setting" for statement in manifest.properties.statements):
        text = "settings of single roles in this database need a superuser, or CREATEROLE"
        found.append(Finding("note", text, "the proof ends there if they are refused"))
    return found or [Finding("ok", f"{user} may create, own and rename the side database")]


async def _extensions(keeper: SideKeeper, extensions: Iterable[Extension], *, superuser: bool) -> list[Finding]:
    wanted = [extension for extension in extensions if extension.name != "plpgsql"]
    if not wanted:
        return []
    rows = await keeper.rows("prove_extensions", [extension.name for extension in wanted])
    there = {(row["name"], row["version"]): row for row in rows}
    found = []
    for extension in wanted:
        row = there.get((extension.name, extension.version))
        if row is None:
            versions = sorted(version for name, version in there if name == extension.name)
            text = f"extension {extension.name} {extension.version} cannot be installed here"
            hint = f"available: {', '.join(versions)}" if versions else "its files are not on the server"
            found.append(
                Finding("block", text, f"{hint}; install its package, or ALTER EXTENSION … UPDATE and back up again")
            )
        elif row["superuser"] and not row["trusted"] and not superuser:
            text = f"extension {extension.name} needs a superuser to be created"
            found.append(Finding("block", text, "prove as a superuser"))
    return found or [Finding("ok", f"extensions available: {', '.join(extension.name for extension in wanted)}")]


async def _blockers(keeper: SideKeeper, app: str) -> list[Finding]:
    """What would stop the swap. It does not stop the proof, and may be gone by then."""
    return [
        Finding("swap", f"{found.kind} {found.name} will stand in the way of a swap", found.resolve)
        if found.hard
        else Finding("note", f"{found.kind} {found.name}: {found.detail}", found.resolve)
        for found in await keeper.blockers(app)
        if found.kind is not Hindrance.DUMP
    ]


# -- room --------------------------------------------------------------------------------------------------------------


async def _room(
    keeper: SideKeeper, manifest: Manifest, rights: Mapping[str, Any], assumed: Assumptions
) -> list[Finding]:
    volumes = await server_volumes(keeper, assumed.disk_free)
    largest = max((entry.bytes or 0 for entry in manifest.observed.relations), default=0)
    rewrites = largest if assumed.rewrites is None else assumed.rewrites
    data, wal = volumes
    held = bool(rights["held"]) or bool((await keeper.load("0/0")).behind is not None)
    needs = [
        Need("side copy", manifest.database_bytes, data.name),
        Need("what the migration rewrites", rewrites, data.name),
        Need("WAL", wal_need(manifest.database_bytes + rewrites, rights["max_wal_size"], held), wal.name),
    ]
    levels = {True: "ok", False: "block", None: "unknown"}
    remedy = {
        True: "",
        False: "free space, or restore to another server",
        None: "look at the server and say --disk-free SIZE",
    }
    rooms = judge(needs, {volume.name: volume for volume in volumes})
    found = [Finding(levels[room.enough], room.line, remedy[room.enough], room=True) for room in rooms]
    if held:
        text = f"standbys, slots or the archive take up to {format_size(manifest.database_bytes)} of WAL as well"
        found.append(Finding("note", text, "look at their volumes"))
    return found


async def server_volumes(keeper: SideKeeper, said: int | None) -> tuple[Volume, Volume]:
    """The volumes of data and of WAL, the same one twice where they are one; free space only where it is proven."""
    if said is not None:
        stated = Volume("the server's volume", said, "as stated")
        return stated, stated
    try:
        (row,) = await keeper.rows("data_directory")
    except MigconsoleError:
        return _unseen("no privilege to see where the data lies (grant pg_read_all_settings)")
    directory = Path(row["data_directory"])
    proof = await asyncio.to_thread(locality, directory, row["backend"], row["client_port"], row["started"])
    if not proof.local:
        return _unseen(proof.why)
    try:
        return await asyncio.to_thread(_volumes, directory)
    except OSError as error:
        return _unseen(f"{directory}: {error.strerror}")


def _unseen(why: str) -> tuple[Volume, Volume]:
    unseen = Volume("the server's volume", None, why)
    return unseen, unseen


def _volumes(directory: Path) -> tuple[Volume, Volume]:
    log = directory / "pg_wal"
    data = volume("data volume", directory)
    if os.stat(log).st_dev == os.stat(directory).st_dev:
        return data, data
    return data, volume("WAL volume", log.resolve())
