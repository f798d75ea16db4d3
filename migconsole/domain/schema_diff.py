"""The fingerprint of a schema: what it is made of, its hash, and what differs between two moments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from migconsole.domain.text import sanitise_line

LONGEST = 160
"""Characters of a definition that a line of a difference shows."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Every object as (kind, name, definition), sorted."""

    objects: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]]) -> Fingerprint:
        """From rows of kind, name and definition. Raises ValueError for rows of another form."""
        return cls(tuple(sorted((str(kind), str(name), str(text or "")) for kind, name, text in rows)))

    @property
    def digest(self) -> str:
        """SHA-256 over all of it: two schemas with the same one are the same.

        >>> Fingerprint((("table", "a", ""),)).digest == Fingerprint((("table", "b", ""),)).digest
        False
        """
        found = hashlib.sha256()
        for entry in self.objects:
            for part in entry:
                raw = part.encode("utf-8", "surrogatepass")
                found.update(b"%d:" % len(raw) + raw)
        return found.hexdigest()


def differences(before: Fingerprint, after: Fingerprint) -> list[str]:
    """What was added (+), removed (-) and changed (~), object by object.

    A table's own columns, constraints and indexes are left out where the whole table came or went.

    >>> old = Fingerprint((("column", "public.t.a", "integer"), ("table", "public.t", "")))
    >>> new = Fingerprint((("column", "public.t.a", "bigint"), ("table", "public.t", ""), ("table", "public.u", "")))
    >>> differences(old, new)
    ['~ column public.t.a: integer → bigint', '+ table public.u']
    """
    old = {(kind, name): text for kind, name, text in before.objects}
    new = {(kind, name): text for kind, name, text in after.objects}
    tables = {name for kind, name in old.keys() ^ new.keys() if kind in ("table", "foreign table")}
    found = []
    for kind, name in sorted(old.keys() | new.keys()):
        was, now = old.get((kind, name)), new.get((kind, name))
        if was == now or _within(kind, name, was if now is None else now, tables, whole=was is None or now is None):
            continue
        mark = "+" if was is None else "-" if now is None else "~"
        shown = _short((now if was is None else was) or "")
        if mark == "~":
            shown = f"{_short(was or '')} → {_short(now or '')}"
        found.append(sanitise_line(f"{mark} {kind} {name}{f': {shown}' if shown else ''}", 500))
    return found


def _within(kind: str, name: str, text: str | None, tables: set[str], *, whole: bool) -> bool:
    if not whole:
        return False
    if kind == "column":
        return name.rpartition(".")[0] in tables
    if kind in ("constraint", "trigger", "policy"):
        return name.rpartition(" on ")[2] in tables
    return kind == "index" and any(
        f" ON {prefix}{table} " in f"{text} " for table in tables for prefix in ("", "ONLY ")
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
