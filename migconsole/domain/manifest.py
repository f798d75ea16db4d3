"""What a backup holds, exactly: counted in the snapshot that was dumped, and compared with what a restore gave.

The manifest is what proves a restore. Counts are exact, hashes are of whole tables, and nothing that was not seen is
taken for equal: a table without a count cannot be compared, and that is a difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from migconsole.domain.rollback import quoted

FORMAT = 1
"""Of ``manifest.json``; a newer one is refused: a field that is not understood might be the one that matters."""

COUNTED = ("r",)
"""Kinds of relations whose rows are compared: a materialised view is filled by its own query during the restore, and
may differ from one that was stale; partitioned and foreign tables hold no rows of their own."""

KINDS = {
    "r": "table",
    "p": "partitioned table",
    "f": "foreign table",
    "v": "view",
    "m": "materialised view",
    "S": "sequence",
}


class ManifestError(ValueError):
    """A manifest that cannot be read or believed; the message says why."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation that is in the dump. ``kind`` is ``pg_class.relkind``.

    ``rows`` is exact and of the snapshot, None for kinds that are not counted; ``hash`` is of every row, whatever its
    place, None where the table was too large to be read twice. ``bytes`` is its size with indexes. The ``n_tup_*`` are
    the statistics counters at that moment, from which the changes since can be told.
    """

    schema: str
    name: str
    oid: int
    kind: str = "r"
    rows: int | None = None
    hash: str | None = None
    bytes: int | None = None
    n_tup_ins: int | None = None
    n_tup_upd: int | None = None
    n_tup_del: int | None = None

    @property
    def full_name(self) -> str:
        """Schema and name, quoted for SQL and for people alike."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class SequenceValue:
    """A sequence. Sequences are in no snapshot: ``last_value`` was read before the dump, ``until`` after it.

    What the dump took lies between the two, and so must what a restore gives.
    """

    schema: str
    name: str
    last_value: int
    is_called: bool
    until: int | None = None
    until_called: bool | None = None

    @property
    def full_name(self) -> str:
        """Schema and name."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def admits(self, other: SequenceValue) -> bool:
        """Whether a restored value can be what this sequence had during the dump."""
        until = self.last_value if self.until is None else self.until
        called = self.is_called if self.until_called is None else self.until_called
        low, high = sorted((self.last_value, until))
        if not low <= other.last_value <= high:
            return False
        return low != high or self.is_called != called or other.is_called == called


@dataclass(frozen=True, slots=True)
class Extension:
    """An installed extension."""

    name: str
    version: str
    schema: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement about a database, with a hole where its name belongs: it serves any name without being parsed."""

    kind: str
    before: str
    after: str

    def for_database(self, name: str) -> str:
        """The statement for one database.

        >>> Statement("owner", "ALTER DATABASE ", " OWNER TO deploy").for_database("my db")
        'ALTER DATABASE "my db" OWNER TO deploy'
        """
        return f"{self.before}{quoted(name)}{self.after}"


@dataclass(frozen=True, slots=True)
class Properties:
    """What belongs to the database itself and is in no dump without ``-C``. ``provider`` is c, i or b."""

    owner: str = ""
    encoding: str = ""
    collate: str = ""
    ctype: str = ""
    provider: str = "c"
    locale: str | None = None
    icu_rules: str | None = None
    connection_limit: int = -1
    acl: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    comment: str | None = None
    tablespace: str = "pg_default"
    statements: tuple[Statement, ...] = ()

    def without_comment(self) -> tuple[Statement, ...]:
        """What is applied to a side database: its comment is our marker until the swap."""
        return tuple(statement for statement in self.statements if statement.kind != "comment")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the backup comes from: the fingerprint that a restore is compared with."""

    system_identifier: str | None
    host: str
    port: int
    oid: int
    user: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """What can be counted in a database, in the dumped snapshot as well as after a restore.

    ``objects`` are numbers of catalogue objects by kind; ``invalid`` names indexes that are not valid.
    """

    relations: tuple[Relation, ...] = ()
    sequences: tuple[SequenceValue, ...] = ()
    extensions: tuple[Extension, ...] = ()
    objects: Mapping[str, int] = field(default_factory=dict)
    large_objects: int | None = None
    invalid: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup's description. Times are UTC ISO 8601, sizes bytes, durations seconds."""

    id: str
    database: str
    origin: Origin
    server_version: str
    client_version: str
    client_path: str
    server_time: str
    local_time: str
    lsn: str
    snapshot: str
    observed: Observed
    properties: Properties
    stats_reset: str | None = None
    roles: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    compression: str = ""
    database_bytes: int = 0
    dump_bytes: int = 0
    globals: str = ""
    durations: Mapping[str, float] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def rows(self) -> int:
        """Rows in all tables."""
        return sum(relation.rows or 0 for relation in self.observed.relations if relation.kind in COUNTED)

    def data(self) -> dict[str, Any]:
        """For ``manifest.json``: flat where a person looks for it."""
        data = asdict(self)
        observed = data.pop("observed")
        return data | {
            "tables": observed["relations"],
            "sequences": observed["sequences"],
            "extensions": observed["extensions"],
            "objects": dict(observed["objects"]),
            "large_objects": observed["large_objects"],
            "invalid": observed["invalid"],
        }


T = TypeVar("T")


def read_manifest(text: str) -> Manifest:
    """A manifest from its file's text; raises ManifestError for anything that is not wholly one."""
    try:
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ManifestError("it holds no object")
        if data.get("format") != FORMAT:
            raise ManifestError(f"its format is {data.get('format')!r}; this version reads {FORMAT}")
        observed = Observed(
            relations=tuple(_made(Relation, entry) for entry in data.pop("tables")),
            sequences=tuple(_made(SequenceValue, entry) for entry in data.pop("sequences")),
            extensions=tuple(_made(Extension, entry) for entry in data.pop("extensions")),
            objects={str(kind): int(count) for kind, count in data.pop("objects").items()},
            large_objects=data.pop("large_objects"),
            invalid=tuple(data.pop("invalid")),
        )
        given = data.pop("properties")
        statements = tuple(_made(Statement, entry) for entry in given.pop("statements"))
        lists = {name: tuple(given.pop(name)) for name in ("acl", "settings")}
        properties = _made(Properties, given | lists | {"statements": statements})
        origin = _made(Origin, data.pop("origin"))
        for name in ("roles", "left_out"):
            data[name] = tuple(data[name])
        return _made(Manifest, data | {"observed": observed, "properties": properties, "origin": origin})
    except ManifestError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestError(f"it is not whole ({type(error).__name__})") from None


def _made(kind: type[T], data: Mapping[str, Any]) -> T:
    names = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(data) - names):
        raise ManifestError(f"it has a field {unknown[0]!r} that is not known")
    return kind(**data)


# -- comparing ---------------------------------------------------------------------------------------------------------


def compare(manifest: Manifest, observed: Observed) -> list[str]:
    """Every difference between what was dumped and what a restore gave, in words; none means that the restore holds."""
    expected = manifest.observed
    return [
        *_relations(expected.relations, observed.relations),
        *_sequences(expected.sequences, observed.sequences),
        *_extensions(expected.extensions, observed.extensions),
        *_objects(expected.objects, observed.objects),
        *_large_objects(expected.large_objects, observed.large_objects),
        *(f"index {name} is not valid" for name in observed.invalid),
    ]


def _by_name(entries: Iterable[Relation]) -> dict[tuple[str, str], Relation]:
    return {(entry.schema, entry.name): entry for entry in entries}


def _relations(expected: Sequence[Relation], observed: Sequence[Relation]) -> list[str]:
    wanted, there = _by_name(expected), _by_name(observed)
    found = [f"{KINDS[entry.kind]} {entry.full_name} is missing" for key, entry in wanted.items() if key not in there]
    found += [
        f"{KINDS[entry.kind]} {entry.full_name} is not in the backup"
        for key, entry in there.items()
        if key not in wanted
    ]
    for key, entry in wanted.items():
        other = there.get(key)
        if other is not None:
            found += _relation(entry, other)
    return found


def _relation(entry: Relation, other: Relation) -> list[str]:
    name = entry.full_name
    if entry.kind != other.kind:
        return [f"{name} was a {KINDS[entry.kind]} and is a {KINDS[other.kind]}"]
    if entry.kind not in COUNTED:
        return []
    if entry.rows is None or other.rows is None:
        return [f"table {name} was not counted, so it cannot be compared"]
    if entry.rows != other.rows:
        return [f"table {name} had {entry.rows:,} rows and has {other.rows:,}"]
    if entry.hash is not None and entry.hash != other.hash:
        return [f"table {name} has {entry.rows:,} rows as it should, but not the same ones (hash)"]
    return []


def _sequences(expected: Sequence[SequenceValue], observed: Sequence[SequenceValue]) -> list[str]:
    there = {(entry.schema, entry.name): entry for entry in observed}
    found = []
    for entry in expected:
        other = there.get((entry.schema, entry.name))
        if other is None:
            found.append(f"sequence {entry.full_name} is missing")
        elif not entry.admits(other):
            until = "" if entry.until in (None, entry.last_value) else f" to {entry.until}"
            found.append(
                f"sequence {entry.full_name} stood at {entry.last_value}{until} and stands at {other.last_value}"
            )
    return found


def _extensions(expected: Sequence[Extension], observed: Sequence[Extension]) -> list[str]:
    there = {entry.name: entry for entry in observed}
    found = []
    for entry in expected:
        other = there.get(entry.name)
        if other is None:
            found.append(f"extension {entry.name} is missing")
        elif other.version != entry.version:
            found.append(f"extension {entry.name} was {entry.version} and is {other.version}")
    return found


def _objects(expected: Mapping[str, int], observed: Mapping[str, int]) -> list[str]:
    kinds = sorted(set(expected) | set(observed))
    return [
        f"there were {expected.get(kind, 0):,} {kind} and are {observed.get(kind, 0):,}"
        for kind in kinds
        if expected.get(kind, 0) != observed.get(kind, 0)
    ]


def _large_objects(expected: int | None, observed: int | None) -> list[str]:
    if expected == observed:
        return []
    return [f"there were {expected} large objects and are {observed}"]


def compare_properties(expected: Properties, observed: Properties) -> list[str]:
    """Every difference in what belongs to the database itself, in words: owner, rights, limit, settings, encoding.

    By the statements that make them, not by the raw ACL: a database without one and one with the same rights spelled
    out are equal, and who granted is not kept by a restore. Values of settings are not told: they can be secrets.
    """
    found = [
        f"the database's {name} was {before} and is {now}"
        for name in ("encoding", "collate", "ctype")
        if (before := getattr(expected, name)) != (now := getattr(observed, name))
    ]
    wanted, there = _told_apart(expected), _told_apart(observed)
    for what in sorted(wanted.keys() | there.keys()):
        if what not in there:
            found.append(f"the database lost: {what}")
        elif what not in wanted:
            found.append(f"the database has, and the backup has not: {what}")
        elif wanted[what] != there[what]:
            found.append(f"the database has another value of: {what}")
    return found


def _told_apart(properties: Properties) -> dict[str, set[str]]:
    """The statements by what they are about, each without the value of a setting; of the same one, all values."""
    found: dict[str, set[str]] = {}
    for statement in properties.without_comment():
        about, value = statement.after, ""
        if statement.kind.endswith("setting"):
            about, _, value = statement.after.partition(" TO ")
        found.setdefault(f"{statement.before}…{about}", set()).add(value)
    return found
