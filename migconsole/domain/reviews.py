"""What was reviewed: the migration files that a named person has read, each pinned by its content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migconsole.domain.events import Event

PER_FACT = 200
"""Files pinned by one fact, so that it stays within what a job may state."""


@dataclass(frozen=True, slots=True)
class ReviewedFile:
    """One file as it was read. ``path`` counts from the project's folder, ``sha256`` is of its bytes."""

    migration: str
    path: str
    sha256: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Review:
    """The files of one attempt of one review item; ``directory``, ``tool`` and ``schema`` say where they came from."""

    item: str
    attempt: int
    files: tuple[ReviewedFile, ...]
    directory: str = ""
    tool: str = ""
    schema: str = ""
    at: str = ""


@dataclass(slots=True)
class ReviewBook:
    """The newest review of each item, kept up to date by the facts of a run."""

    reviews: dict[str, Review] = field(default_factory=dict)

    def stated(self, event: Event) -> None:
        """Take a ``reviewed`` fact into account. Raises ValueError, KeyError or TypeError for one of another form."""
        data = event.data
        item, attempt = str(data.get("item") or ""), int(data.get("attempt") or 0)
        files = tuple(
            ReviewedFile(str(f["migration"]), str(f["path"]), str(f["sha256"]), int(f.get("size") or 0))
            for f in data["files"]
        )
        known = self.reviews.get(item)
        if known is not None and known.attempt == attempt and item:
            files = (*known.files, *files)
        elif known is not None and known.attempt > attempt:
            return
        where = {name: str(data.get(name) or "") for name in ("directory", "tool", "schema")}
        self.reviews[item] = Review(item, attempt, files, at=event.at, **where)

    def is_current(self, item: str, attempt: Any) -> bool:
        """Whether this attempt's review is the one that counts."""
        return item in self.reviews and self.reviews[item].attempt == attempt

    @property
    def newest(self) -> Review | None:
        """The review that was made last, None when there was none."""
        return max(self.reviews.values(), key=lambda review: review.at, default=None)


def facts(review: Review, key: str) -> list[dict[str, Any]]:
    """A review as facts of a job; ``key`` names the attempt."""
    found = []
    for start in range(0, max(1, len(review.files)), PER_FACT):
        part = [
            {"migration": f.migration, "path": f.path, "sha256": f.sha256, "size": f.size}
            for f in review.files[start : start + PER_FACT]
        ]
        data = {"item": review.item, "attempt": review.attempt, "files": part}
        data |= {"directory": review.directory, "tool": review.tool, "schema": review.schema}
        found.append({"kind": "reviewed", "key": f"{key}:{start // PER_FACT}", "data": data})
    return found


def changes(pinned: Sequence[ReviewedFile], now: Mapping[str, str | None], pending: Iterable[str] | None) -> list[str]:
    """What is no longer as it was reviewed. ``now`` maps paths to today's SHA-256, None for a file that is gone.

    ``pending`` are the paths of the migrations that are pending now, None where that is not known: one that was not
    there at the review is one that nobody has read.

    >>> changes([ReviewedFile("1_a", "a.sql", "00")], {"a.sql": "11"}, ["a.sql", "b.sql"])
    ['a.sql changed since it was reviewed', 'b.sql is pending and was not reviewed']
    """
    found = []
    for entry in pinned:
        current = now.get(entry.path)
        if current is None:
            found.append(f"{entry.path} was reviewed and is gone")
        elif current != entry.sha256:
            found.append(f"{entry.path} changed since it was reviewed")
    known = {entry.path for entry in pinned}
    return found + [f"{path} is pending and was not reviewed" for path in pending or () if path not in known]
