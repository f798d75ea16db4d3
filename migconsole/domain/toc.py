"""The table of contents of an archive, as ``pg_restore --list`` prints it, and the part of it that is restored.

Names in it may hold spaces, and line ends in them are made spaces, so entries are told apart by numbers: the dump's own
number, the catalogue and the object's oid. Only the kind of an entry is read as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

PG_CLASS = 1259
"""The oid of pg_class, of every version."""

RELATIONS = ("TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE")
"""Kinds of entries that are a relation each."""

_LINE = re.compile(r"(\d+); (\d+) (\d+) (.+)")

# Kinds whose name begins with another kind's, the longer ones first; every other kind is the words in capitals.
_LONG = (
    "TABLE DATA",
    "TABLE ATTACH",
    "FOREIGN TABLE",
    "MATERIALIZED VIEW DATA",
    "MATERIALIZED VIEW",
    "SEQUENCE OWNED BY",
    "SEQUENCE SET",
    "EVENT TRIGGER",
    "SUBSCRIPTION TABLE",
    "SUBSCRIPTION",
    "DATABASE PROPERTIES",
    "SECURITY LABEL",
    "BLOB METADATA",
    "STATISTICS DATA",
)
_LEFT_OUT = {
    "EVENT TRIGGER": "event trigger",
    "SUBSCRIPTION": "subscription",
    "SUBSCRIPTION TABLE": "table of a subscription",
}
_ABOUT = ("EXTENSION ", "EVENT TRIGGER ", "SUBSCRIPTION ")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. ``rest`` is everything after the numbers; ``kind`` its first words."""

    number: int
    catalogue: int
    oid: int
    kind: str
    rest: str

    @property
    def line(self) -> str:
        """As ``pg_restore --use-list`` takes it: it reads the number and nothing else."""
        return f"{self.number}; {self.catalogue} {self.oid} {self.rest}"


@dataclass(frozen=True, slots=True)
class Contents:
    """What is restored, in two parts, and what is left out in words.

    ``schemas`` come first, then the extensions are created by hand, then ``rest``: the restore of an owner who is no
    superuser dies at CREATE EXTENSION or at a comment on one.
    """

    schemas: tuple[Entry, ...]
    rest: tuple[Entry, ...]
    left_out: tuple[str, ...]


def read_toc(text: str) -> list[Entry]:
    """The entries of a listing; comments and empty lines are passed over."""
    found = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match:
            found.append(Entry(int(match[1]), int(match[2]), int(match[3]), _kind(match[4]), match[4]))
    return found


def _kind(rest: str) -> str:
    for kind in _LONG:
        if rest.startswith(kind + " "):
            return kind
    return rest.split(" ", 1)[0]


def relations(entries: Iterable[Entry]) -> set[int]:
    """The oids of the relations that the archive would create."""
    return {entry.oid for entry in entries if entry.kind in RELATIONS and entry.catalogue == PG_CLASS}


def data_entries(entries: Iterable[Entry]) -> list[Entry]:
    """The entries that carry rows or large objects: what a full read has to read."""
    return [entry for entry in entries if entry.kind in ("TABLE DATA", "BLOBS")]


def filtered(entries: Iterable[Entry]) -> Contents:
    """Divide the contents into what is restored first, what is restored after the extensions, and what is not."""
    schemas, rest, left_out = [], [], []
    for entry in entries:
        if entry.kind == "SCHEMA":
            schemas.append(entry)
        elif entry.kind in _LEFT_OUT:
            left_out.append(f"{_LEFT_OUT[entry.kind]}: {_tail(entry)}")
        elif entry.kind == "EXTENSION":
            left_out.append(f"extension, created beforehand: {_tail(entry)}")
        elif entry.kind in ("COMMENT", "SECURITY LABEL", "ACL") and _about(entry).startswith(_ABOUT):
            left_out.append(f"{entry.kind.lower()} on {_about(entry)}")
        else:
            rest.append(entry)
    return Contents(tuple(schemas), tuple(rest), tuple(left_out))


def _tail(entry: Entry) -> str:
    """What follows kind and schema: name and owner, which cannot be told apart where names hold spaces."""
    text = entry.rest[len(entry.kind) :].strip()
    return text.removeprefix("- ").strip()


def _about(entry: Entry) -> str:
    """What a comment is on; entries about a whole extension or trigger stand in no schema (``-``)."""
    text = entry.rest[len(entry.kind) :].strip()
    return text[2:].strip() if text.startswith("- ") else ""
