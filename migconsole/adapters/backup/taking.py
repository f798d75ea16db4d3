"""Taking a backup: dumped, counted and read back on one snapshot, and green only when all of it agrees.

A backup counts when pg_dump ended well, every byte of the dump could be read again, every file's checksum is stored,
the manifest is written, the dump is not empty, and the relations in it are exactly those that the snapshot holds. Until
then its directory has another name, and nothing that reads backups looks at it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from migconsole.adapters.backup import directory as storage
from migconsole.adapters.backup import room
from migconsole.adapters.backup.clients import Choice
from migconsole.adapters.backup.directory import Backup, BackupError
from migconsole.adapters.backup.reporting import Meter, Reporter
from migconsole.adapters.backup.tools import Ended, Toolbox
from migconsole.adapters.postgres.dumping import blockers, copy_progress
from migconsole.adapters.postgres.observing import Listed, SnapshotReader, to_hash
from migconsole.domain.manifest import COUNTED, Manifest, Observed, Origin, Properties, Relation, SequenceValue
from migconsole.domain.quantities import format_duration, format_size
from migconsole.domain.target import Target
from migconsole.domain.toc import Entry, data_entries, filtered, read_toc, relations
from migconsole.engine.ports import ServerIdentity
from migconsole.errors import MigconsoleError, StoppedError, TargetError

LOCK_WAIT = 30
"""Seconds pg_dump waits for a table's lock before it gives up: it must not stand in a queue before the application."""

BLOCKER_PATIENCE = 5.0
"""Seconds an exclusive lock may last before the backup says who holds it and stops: most are shorter than that."""

STATISTICS_SINCE = 18
"""The major from which pg_dump writes the planner's statistics where asked to, and a server of it takes them."""

READERS = 4
"""Programs that read the dump back at once, at most."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be backed up, where to, and how. ``run`` is the run's identifier, "" outside of one."""

    target: Target
    identity: ServerIdentity
    choice: Choice
    toolbox: Toolbox
    directory: Path
    jobs: int = 1
    run: str = ""
    hashes: tuple[str, ...] = ()
    identifier: str = field(default_factory=lambda: uuid.uuid4().hex[:12])


@dataclass(slots=True)
class _Seen:
    """What the snapshot said."""

    listed: list[Listed]
    properties: Properties
    catalogue: Observed
    roles: tuple[str, ...]
    sequences: tuple[SequenceValue, ...]


async def take(order: Order, reporter: Reporter) -> Backup:
    """Take a backup. Raises MigconsoleError with the reason when it is not green; nothing that counts is left then."""
    if order.identity.in_recovery:
        raise TargetError(
            "The target is a standby",
            "A restore point is made on the server that is migrated, and a standby cannot be.",
            "Give the primary's address.",
        )
    await _wait_for_locks(order, reporter)
    state = {"id": order.identifier, "database": order.target.database, "app_name": order.toolbox.app_name}
    partial = storage.make_partial(order.directory, order.target.database, order.identifier, state)
    reporter.say(f"writing to {partial}")
    try:
        return await _Taking(order, reporter, partial).run()
    except BaseException:
        # Ours, unfinished and of no use: it never counts, and after a full disk its room is what is missing.
        shutil.rmtree(partial, ignore_errors=True)
        raise


async def _wait_for_locks(order: Order, reporter: Reporter) -> None:
    """Raise StoppedError while a migration or other DDL is at work: one of the two would break the other."""
    deadline = time.monotonic() + BLOCKER_PATIENCE
    while found := await blockers(order.target, order.run):
        if time.monotonic() > deadline:
            raise StoppedError(
                "A migration or other DDL is at work in the database",
                "\n".join(found[:10]),
                "Take the backup before it starts or after it has ended.",
            )
        reporter.say(f"waiting: {found[0]}")
        await asyncio.sleep(1.0)


class _Taking:
    """One backup on its way."""

    def __init__(self, order: Order, reporter: Reporter, partial: Path) -> None:
        self._order = order
        self._reporter = reporter
        self._partial = partial
        self._dump = partial / storage.DUMP
        self._took: dict[str, float] = {}

    async def run(self) -> Backup:
        """All of it, in order."""
        started = time.monotonic()
        order = self._order
        async with SnapshotReader.opened(order.target, order.run or order.identifier) as reader:
            seen = await self._look(reader)
            await self._room(seen, reader.moment.size)
            early = _has_spare_cores(order)
            counting = asyncio.create_task(self._count(reader, seen)) if early else None
            try:
                await self._dump_all(seen, reader.moment.snapshot)
                after = await reader.sequences(seen.listed)
                await reader.still_there()
                counted, entries, sums, globals_note = await self._read_back(counting or self._count(reader, seen))
            finally:
                if counting is not None:
                    counting.cancel()
            await reader.end()
        self._took["total_s"] = round(time.monotonic() - started, 3)
        observed = replace(seen.catalogue, relations=counted, sequences=_between(seen.sequences, after))
        self._judge(entries, counted)
        contents = filtered(entries)
        manifest = self._manifest(reader, seen, observed, contents.left_out, globals_note)
        backup = await asyncio.to_thread(storage.settle, self._partial, manifest, sums)
        self._summary(backup)
        return backup

    async def _look(self, reader: SnapshotReader) -> _Seen:
        listed = await reader.relations()
        roles = tuple(role.name for role in await reader.roles())
        seen = _Seen(listed, await reader.properties(), await reader.catalogue(), roles, await reader.sequences(listed))
        tables = sum(entry.relation.kind == "r" for entry in listed)
        moment = reader.moment
        self._reporter.say(
            f"snapshot {moment.snapshot} at {moment.server_time}, WAL {moment.lsn}: "
            f"{tables:,} tables, {format_size(moment.size)}"
        )
        return seen

    async def _room(self, seen: _Seen, size: int) -> None:
        tables = sum(entry.table_bytes for entry in seen.listed if entry.relation.kind in COUNTED)
        self._reporter.say(await asyncio.to_thread(room.look, self._partial, self._order.target.database, tables, size))

    # -- the dump ----------------------------------------------------------------------------------------------------

    async def _dump_all(self, seen: _Seen, snapshot: str) -> None:
        order = self._order
        options = ["--no-password", "-Fd", "-j", str(order.jobs), f"--lock-wait-timeout={LOCK_WAIT}s", "--no-sync"]
        if order.choice.compression:
            options.append(f"--compress={order.choice.compression}")
        if order.choice.same_major and order.choice.clients.major >= STATISTICS_SINCE:
            options.append("--statistics")
        try:
            async with self._timed("dump_s"), asyncio.TaskGroup() as group:
                looking = (self._watch_dump(seen.listed), room.watch(self._partial))
                beside = [group.create_task(each) for each in looking]
                ended = await order.toolbox.run("pg_dump", *options, f"--snapshot={snapshot}", "-f", str(self._dump))
                for task in beside:
                    task.cancel()
        except* MigconsoleError as errors:
            raise errors.exceptions[0] from None
        if ended.code != 0:
            raise BackupError("pg_dump failed: there is no backup", f"exit {ended.code}\n{ended.said}", _remedy(ended))

    async def _watch_dump(self, listed: Sequence[Listed]) -> None:
        """Say how far the dump is, until cancelled. A failure to see is no failure of the dump."""
        order = self._order
        meter = Meter("dump", sum(entry.table_bytes for entry in listed))
        weights = {(entry.relation.schema, entry.relation.name): entry.table_bytes for entry in listed}
        async for done in copy_progress(order.target, order.toolbox.app_name, order.run, weights):
            written = await asyncio.to_thread(_size, self._dump)
            note = f"{format_size(written)} written"
            self._reporter.progress(meter.at(written if done is None else done, known=done is not None, note=note))

    # -- reading it back -----------------------------------------------------------------------------------------------

    async def _count(self, reader: SnapshotReader, seen: _Seen) -> tuple[Relation, ...]:
        order = self._order
        async with self._timed("count_s"):
            return await reader.count(seen.listed, to_hash(seen.listed, order.hashes), max(1, order.jobs))

    async def _read_back(
        self, counting: Awaitable[tuple[Relation, ...]]
    ) -> tuple[tuple[Relation, ...], list[Entry], dict[str, str], str]:
        """Everything that needs nothing but the dump and the snapshot, at once."""
        listing, text = await self._order.toolbox.output("pg_restore", "--list", str(self._dump))
        if listing.code != 0:
            raise BackupError("The dump cannot be listed: there is no backup", listing.said)
        entries = read_toc(text)
        contents = filtered(entries)
        restored = (*contents.schemas, *contents.rest)
        (self._partial / storage.TOC).write_text("".join(f"{entry.line}\n" for entry in restored), encoding="utf-8")
        self._reporter.say("reading the dump back, counting and hashing")
        try:
            async with asyncio.TaskGroup() as group:
                counted = group.create_task(_awaited(counting))
                noted = group.create_task(self._globals())
                group.create_task(self._read_all(entries))
                hashed = group.create_task(self._hash())
        except* MigconsoleError as errors:
            raise errors.exceptions[0] from None
        sums = hashed.result() | await asyncio.to_thread(self._hash_extras)
        return counted.result(), entries, sums, noted.result()

    async def _read_all(self, entries: Sequence[Entry]) -> None:
        """Read every entry once through pg_restore, in as many programs as there are cores for."""
        async with self._timed("read_s"):
            shares = _shares(entries, self._dump, min(READERS, os.cpu_count() or 1))
            async with asyncio.TaskGroup() as group:
                reads = [group.create_task(self._read(number, share)) for number, share in enumerate(shares)]
        for read in reads:
            ended = read.result()
            if ended.code != 0:
                raise BackupError("The dump cannot be read back: there is no backup", ended.said)

    async def _read(self, number: int, share: Sequence[Entry]) -> Ended:
        chosen = self._partial / f"read-{number}.list"
        chosen.write_text("".join(f"{entry.line}\n" for entry in share), encoding="utf-8")
        try:
            return await self._order.toolbox.run("pg_restore", "-f", "/dev/null", "-L", str(chosen), str(self._dump))
        finally:
            chosen.unlink(missing_ok=True)

    async def _hash(self) -> dict[str, str]:
        async with self._timed("hash_s"):
            try:
                return await asyncio.to_thread(
                    lambda: storage.hash_files(self._dump.iterdir(), self._partial, durable=True)
                )
            except OSError as error:
                raise BackupError(f"The dump cannot be put on disk: {error.strerror}", str(self._dump)) from error

    def _hash_extras(self) -> dict[str, str]:
        extras = [self._partial / name for name in (storage.TOC, storage.GLOBALS) if (self._partial / name).exists()]
        return storage.hash_files(extras, self._partial, durable=True)

    async def _globals(self) -> str:
        """Roles and tablespaces, which are in no dump of a database; "" when they were written, else why not."""
        path = self._partial / storage.GLOBALS
        ended = await self._order.toolbox.run(
            "pg_dumpall", "--no-password", "--globals-only", "--no-role-passwords", "-f", str(path)
        )
        if ended.code == 0:
            return ""
        path.unlink(missing_ok=True)
        note = f"roles and tablespaces could not be read: {ended.lines[-1] if ended.lines else ended.code}"
        self._reporter.say(f"note: {note}")
        return note

    # -- the judgement -------------------------------------------------------------------------------------------------

    def _judge(self, entries: Sequence[Entry], counted: Sequence[Relation]) -> None:
        in_dump = relations(entries)
        wanted = {relation.oid: relation for relation in counted}
        problems = [f"{r.full_name} is not in the dump" for oid, r in wanted.items() if oid not in in_dump]
        problems += [f"the dump holds a relation (oid {oid}) that was not seen" for oid in in_dump - set(wanted)]
        problems += [f"{r.full_name} was not counted" for r in counted if r.kind == "r" and r.rows is None]
        if _size(self._dump) <= 0:
            problems.append("the dump is empty")
        if problems:
            raise BackupError(
                "The dump is not what the snapshot held: there is no backup",
                "\n".join(problems[:20]),
                "The schema may have changed meanwhile: take it again when nothing else is at work.",
            )

    def _manifest(
        self, reader: SnapshotReader, seen: _Seen, observed: Observed, left_out: tuple[str, ...], globals_note: str
    ) -> Manifest:
        order, identity, moment = self._order, self._order.identity, reader.moment
        clients = order.choice.clients
        return Manifest(
            id=order.identifier,
            database=order.target.database,
            origin=Origin(identity.system_identifier, identity.host, identity.port, identity.oid, identity.user),
            server_version=identity.version,
            client_version=clients.version,
            client_path=str(clients.bindir),
            server_time=moment.server_time,
            local_time=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            lsn=moment.lsn,
            snapshot=moment.snapshot,
            observed=observed,
            properties=seen.properties,
            stats_reset=moment.stats_reset,
            roles=seen.roles,
            left_out=left_out,
            compression=order.choice.compression or "gzip",
            database_bytes=moment.size,
            dump_bytes=_size(self._dump),
            globals=globals_note,
            durations=self._took,
        )

    def _summary(self, backup: Backup) -> None:
        manifest = backup.manifest
        took = {name.removesuffix("_s"): format_duration(value) for name, value in manifest.durations.items()}
        hashed = sum(relation.hash is not None for relation in manifest.observed.relations)
        self._reporter.say(
            f"{manifest.rows:,} rows counted, {hashed:,} tables hashed, {format_size(manifest.dump_bytes)} on disk"
        )
        self._reporter.say(", ".join(f"{name} {value}" for name, value in took.items()))
        for entry in manifest.left_out:
            self._reporter.say(f"left out of a restore: {entry}")

    @contextlib.asynccontextmanager
    async def _timed(self, name: str) -> AsyncIterator[None]:
        start = time.monotonic()
        yield
        self._took[name] = round(time.monotonic() - start, 3)


async def _awaited(counting: Awaitable[tuple[Relation, ...]]) -> tuple[Relation, ...]:
    return await counting


def _has_spare_cores(order: Order) -> bool:
    """Whether counting beside the dump costs the dump nothing: it works on the server, the dump mostly here."""
    local = order.target.socket or order.target.host in ("localhost", "127.0.0.1", "::1")
    return not local or (os.cpu_count() or 1) >= 2 * order.jobs + 2


def _between(before: Sequence[SequenceValue], after: Sequence[SequenceValue]) -> tuple[SequenceValue, ...]:
    later = {(entry.schema, entry.name): entry for entry in after}
    return tuple(
        replace(
            entry,
            until=later[entry.schema, entry.name].last_value,
            until_called=later[entry.schema, entry.name].is_called,
        )
        for entry in before
    )


def _shares(entries: Sequence[Entry], dump: Path, count: int) -> list[list[Entry]]:
    """Divide the entries so that each share has about as many bytes to read; the first has what is no data, too."""
    sizes = {path.name.split(".", 1)[0]: path.stat().st_size for path in dump.iterdir()}
    data = sorted(data_entries(entries), key=lambda entry: sizes.get(str(entry.number), 0), reverse=True)
    rest = [entry for entry in entries if entry not in set(data)]
    shares: list[list[Entry]] = [[] for _ in range(max(1, count))]
    loads = [0] * len(shares)
    for entry in data:
        lightest = loads.index(min(loads))
        shares[lightest].append(entry)
        loads[lightest] += sizes.get(str(entry.number), 0) + 1
    shares[0] = rest + shares[0]
    return [share for share in shares if share]


def _size(folder: Path) -> int:
    try:
        return sum(entry.stat().st_size for entry in os.scandir(folder))
    except OSError:
        return 0


def _remedy(ended: Ended) -> str:
    text = "\n".join(ended.lines)
    hints: list[tuple[str, Callable[[str], bool]]] = [
        ("Free space on the volume of the backup, or name another directory.", lambda t: "No space left" in t),
        ("A lock was held too long: take the backup when no migration is at work.", lambda t: "lock timeout" in t),
        ("Grant the user SELECT on all tables, or back up as their owner.", lambda t: "permission denied" in t),
        (
            "The session that held the snapshot ended: see the server's log, then take it again.",
            lambda t: "snapshot" in t,
        ),
    ]
    return next((hint for hint, fits in hints if fits(text)), "Nothing of it counts; take it again.")
