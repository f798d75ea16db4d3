"""What a checkout's migrations are to a database: applied, pending, failed, edited, or unknown to the checkout."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from migconsole.domain.times import instant


class MigrationState(StrEnum):
    """Where a migration stands. Edited: applied, but the file's content is another one now."""

    APPLIED = "applied"
    PENDING = "pending"
    FAILED = "failed"
    EDITED = "edited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MigrationFile:
    """A migration of the checkout. ``checksums`` are the accepted ones (see ``checksums``); none: it has no script."""

    name: str
    checksums: frozenset[str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class MigrationRow:
    """One attempt that the database records; a migration may have several. ``started_at`` is ISO 8601."""

    name: str
    checksum: str
    started_at: str
    finished: bool
    rolled_back: bool
    logs: str = ""


@dataclass(frozen=True, slots=True)
class Migration:
    """The verdict on one migration; ``note`` explains it, ``broken`` marks a pending one that cannot be applied."""

    name: str
    state: MigrationState
    note: str = ""
    broken: bool = False


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """All migrations of either side, in the order they are applied in.

    ``blind`` are the states that the tool leaves no trace of: their count is unknown, not 0. ``ordered`` is False
    where a tool follows dependencies, so that a place in the list means nothing. ``wrong`` and ``unclear`` are what
    is the matter with the whole rather than with one migration.
    """

    migrations: tuple[Migration, ...]
    blind: frozenset[MigrationState] = frozenset()
    ordered: bool = True
    notes: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()

    def names(self, state: MigrationState) -> tuple[str, ...]:
        """The names in one state."""
        return tuple(entry.name for entry in self.migrations if entry.state is state)

    @property
    def applied(self) -> tuple[str, ...]:
        """Everything the database has: applied, edited since, or unknown to the checkout."""
        have = (MigrationState.APPLIED, MigrationState.EDITED, MigrationState.UNKNOWN)
        return tuple(entry.name for entry in self.migrations if entry.state in have)

    @property
    def out_of_order(self) -> tuple[str, ...]:
        """Pending ones that stand before an applied one: another branch's, most likely."""
        if not self.ordered:
            return ()
        applied = set(self.applied)
        last = max((place for place, entry in enumerate(self.migrations) if entry.name in applied), default=-1)
        return tuple(entry.name for entry in self.migrations[: last + 1] if entry.state is MigrationState.PENDING)

    @property
    def diverged(self) -> bool:
        """Whether each side has what the other has not: neither is simply behind."""
        return bool(self.names(MigrationState.UNKNOWN)) and bool(self.names(MigrationState.PENDING))

    def count(self, state: MigrationState) -> int | None:
        """How many are in one state; None where the tool cannot tell."""
        found = len(self.names(state))
        return None if not found and state in self.blind else found


def checksums(content: bytes) -> frozenset[str]:
    """The SHA-256 sums that count as this content's: as it is, and with either kind of line ends.

    Prisma accepts the same three, because git converts line ends between systems.

    >>> len(checksums(b"SELECT 1;")), len(checksums(b"SELECT 1;\\n"))
    (1, 2)
    """
    unix = content.replace(b"\r\n", b"\n")
    return frozenset(hashlib.sha256(form).hexdigest() for form in (content, unix, unix.replace(b"\n", b"\r\n")))


def matches(file: MigrationFile, recorded: str) -> bool:
    """Whether a recorded checksum is this file's. Early versions of Prisma left out leading zeros of each byte."""
    if len(recorded) == 64:
        return recorded.lower() in file.checksums
    return recorded.lower() in {"".join(f"{byte:x}" for byte in bytes.fromhex(full)) for full in file.checksums}


def classify(files: Iterable[MigrationFile], rows: Sequence[MigrationRow]) -> MigrationReport:
    """Compare the checkout with the record.

    An attempt that neither finished nor was marked as rolled back blocks every further migration, so one such makes
    its migration failed whatever else is recorded. Attempts that were rolled back do not count.

    >>> classify([MigrationFile("1_a", checksums(b"x"))], []).names(MigrationState.PENDING)
    ('1_a',)
    """
    by_name = {file.name: file for file in files}
    attempts: dict[str, list[MigrationRow]] = {}
    for row in rows:
        attempts.setdefault(row.name, []).append(row)
    names = sorted({*by_name, *attempts})
    found = (_classify_one(name, by_name.get(name), attempts.get(name, [])) for name in names)
    return MigrationReport(tuple(entry for entry in found if entry is not None))


def _classify_one(name: str, file: MigrationFile | None, attempts: list[MigrationRow]) -> Migration | None:
    standing = [row for row in attempts if not row.rolled_back]
    unfinished = [row for row in standing if not row.finished]
    if unfinished:
        return Migration(name, MigrationState.FAILED, _failure(unfinished[-1]))
    if standing:
        if file is None:
            return Migration(name, MigrationState.UNKNOWN, "applied, but not in the checkout")
        if file.problem:
            return Migration(name, MigrationState.EDITED, file.problem)
        if not matches(file, standing[-1].checksum):
            return Migration(name, MigrationState.EDITED, "the file is not what was applied")
        return Migration(name, MigrationState.APPLIED)
    if file is None:
        return None
    rolled_back = "rolled back before" if attempts else ""
    return Migration(name, MigrationState.PENDING, file.problem or rolled_back, broken=bool(file.problem))


def _failure(row: MigrationRow) -> str:
    first = next((line.strip() for line in row.logs.splitlines() if line.strip()), "")
    moment = instant(row.started_at)
    began = row.started_at if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    return f"began {began}, did not finish{f': {first[:160]}' if first else ''}"
