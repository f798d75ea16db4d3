"""What a rollback gave, held against what was to come of it: the manifest, or the schema before the migration.

Clients are let in first, so that the outage does not wait for the reading. What they write meanwhile is a difference
like any other; it is only said that it may be theirs. Without a reading nothing is verified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from migconsole.domain.manifest import Manifest, Observed, Properties, compare, compare_properties
from migconsole.domain.schema_diff import Fingerprint, differences

LIMIT = 300.0
"""Seconds for reading everything back, unless another limit is asked for."""

KEPT = 30
"""Differences that are shown and go on record; the rest is counted."""


class Proof(StrEnum):
    """What the comparison gave."""

    VERIFIED = "verified"
    DIFFERS = "differs"
    UNVERIFIED = "not verified"


@dataclass(frozen=True, slots=True)
class Verification:
    """The comparison. ``what`` is what was compared with, or why it was not; ``notes`` are what a person must know.

    ``explained`` says that clients were in the database, and that every difference can be of their writing.
    """

    proof: Proof
    what: str
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    explained: bool = False

    @property
    def green(self) -> bool:
        """Whether nobody has to look at it."""
        return self.proof is Proof.VERIFIED and not self.notes

    @property
    def line(self) -> str:
        """In a line."""
        if self.proof is Proof.VERIFIED:
            return f"verified against {self.what}"
        if self.proof is Proof.UNVERIFIED:
            return f"NOT verified: {self.what}"
        count = len(self.differences)
        theirs = "; clients are in it, and it can be what they wrote" if self.explained else ""
        return f"DIFFERS from {self.what} in {count} point{'' if count == 1 else 's'}{theirs}"

    @property
    def lines(self) -> tuple[str, ...]:
        """Differences and notes, as many as are kept."""
        left = len(self.differences) - KEPT
        more = (f"… and {left} more",) if left > 0 else ()
        return (*self.differences[:KEPT], *more, *self.notes)

    def data(self) -> dict[str, Any]:
        """For the journal."""
        found = {"proof": self.proof.value, "what": self.what, "line": self.line, "explained": self.explained}
        return found | {"lines": list(self.lines)}


def unverified(why: str) -> Verification:
    """Nothing was compared."""
    return Verification(Proof.UNVERIFIED, why)


def judge(
    manifest: Manifest, observed: Observed, properties: Properties, *, clients: int = 0, notes: Sequence[str] = ()
) -> Verification:
    """Hold a database and its properties against the manifest that it was restored from.

    ``clients`` are sessions of others in it; they write rows, but they change no rights and no settings.
    """
    what = f"the manifest of {manifest.server_time}, backup {manifest.id[:8]}"
    own = compare_properties(manifest.properties, properties)
    found = (*own, *compare(manifest, observed))
    if not found:
        return Verification(Proof.VERIFIED, what, notes=tuple(notes))
    explained = clients > 0 and not own and not compare(manifest, _with_content_of(manifest, observed))
    return Verification(Proof.DIFFERS, what, found, tuple(notes), explained)


def judge_schema(before: Fingerprint | None, now: Fingerprint) -> Verification:
    """Hold a schema against the one that was kept before the migration, None where none was."""
    if before is None:
        return unverified("no fingerprint of the schema was kept before the migration")
    what = f"the schema that was kept before the migration, {before.digest[:12]}"
    found = tuple(differences(before, now))
    return Verification(Proof.DIFFERS if found else Proof.VERIFIED, what, found)


def of_data(data: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Proof and lines of a record; what is not understood is not verified."""
    proof = str(data.get("proof", ""))
    lines = data.get("lines")
    known = proof if proof in list(Proof) else Proof.UNVERIFIED.value
    return known, tuple(map(str, lines)) if isinstance(lines, list) else ()


def _with_content_of(manifest: Manifest, observed: Observed) -> Observed:
    """What was observed, with the manifest's rows and values: what still differs then is no client's everyday work."""
    wanted = {(e.schema, e.name): e for e in manifest.observed.relations}
    values = {(e.schema, e.name): e for e in manifest.observed.sequences}
    relations = []
    for entry in observed.relations:
        known = wanted.get((entry.schema, entry.name))
        counted = known is not None and entry.rows is not None
        relations.append(replace(entry, rows=known.rows, hash=known.hash) if known and counted else entry)
    return replace(
        observed,
        relations=tuple(relations),
        sequences=tuple(values.get((e.schema, e.name), e) for e in observed.sequences),
        large_objects=manifest.observed.large_objects,
    )
