"""Alembic: the revisions of ``versions/*.py`` against the heads in ``alembic_version``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from migconsole.adapters.migrators.base import UnreadableMigration, files_in, literals, names_of, parse_python
from migconsole.domain.migrations import Migration, MigrationReport, MigrationState
from migconsole.engine.migrator_ports import Rows, SqlFile


@dataclass(frozen=True, slots=True)
class Revision:
    """One file: what it is called and what must be applied before it."""

    name: str
    parents: tuple[str, ...]
    path: Path


class Alembic:
    """The tool keeps one row for each head, nothing about single revisions."""

    name = "alembic"
    table = "alembic_version"
    schema = ""
    query = "migrator_alembic"
    lock = 0
    directories = ("alembic/versions", "migrations/versions", "versions")
    caution = (
        "alembic records only its heads: an edited revision and one that failed leave no trace (PostgreSQL rolls a "
        "failed one back, unless it ran outside of a transaction)"
    )

    def recognises(self, directory: Path) -> bool:
        """A folder with at least one file that declares a revision and what it follows."""
        return any(_revision(path) is not None for path in (files_in(directory, ".py") or [])[:50])

    def judge(self, directory: Path, rows: Rows) -> MigrationReport | None:
        """Applied is every ancestor of a recorded head, dependencies included."""
        paths = files_in(directory, ".py")
        if paths is None:
            return None
        revisions, problems = _read(paths)
        heads = [str(row["version_num"]) for row in rows]
        applied = _ancestors(revisions, heads)
        found = [
            Migration(name, MigrationState.APPLIED if name in applied else MigrationState.PENDING)
            for name in _ordered(revisions)
        ]
        found += [
            Migration(head, MigrationState.UNKNOWN, "the database stands on it, but it is not in the checkout")
            for head in heads
            if head not in revisions
        ]
        unclear = [*problems, *_broken_links(revisions)]
        if any(head not in revisions for head in heads):
            unclear.append("which revisions are applied is unknown: the head is not in the checkout")
        tips = sorted(set(revisions) - {parent for entry in revisions.values() for parent in entry.parents})
        notes = [f"the checkout has {len(tips)} heads: {', '.join(tips[:5])}"] if len(tips) > 1 else []
        blind = frozenset({MigrationState.EDITED, MigrationState.FAILED})
        return MigrationReport(tuple(found), blind, ordered=False, notes=tuple(notes), unclear=tuple(unclear))

    def scripts(self, directory: Path, names: Sequence[str]) -> list[SqlFile]:
        """The Python file of each revision: what it sends to the server is only known when it runs."""
        revisions, _ = _read(files_in(directory, ".py") or [])
        return [SqlFile(name, revisions[name].path) for name in names if name in revisions]


def _revision(path: Path) -> Revision | None:
    try:
        declared = dict(literals(parse_python(path).body))
    except UnreadableMigration:
        return None
    if not isinstance(declared.get("revision"), str) or "down_revision" not in declared:
        return None
    parents = (*names_of(declared["down_revision"]), *names_of(declared.get("depends_on")))
    return Revision(declared["revision"], parents, path)


def _read(paths: Iterable[Path]) -> tuple[dict[str, Revision], list[str]]:
    revisions: dict[str, Revision] = {}
    problems = []
    for path in paths:
        if path.name == "__init__.py":
            continue
        entry = _revision(path)
        if entry is None:
            problems.append(f"{path.name} declares no revision that can be read without running it")
        elif entry.name in revisions:
            problems.append(f"{path.name} and {revisions[entry.name].path.name} are the same revision {entry.name}")
        else:
            revisions[entry.name] = entry
    return revisions, problems


def _ancestors(revisions: Mapping[str, Revision], heads: Iterable[str]) -> set[str]:
    found: set[str] = set()
    left = [head for head in heads if head in revisions]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [parent for parent in revisions[name].parents if parent in revisions]
    return found


def _ordered(revisions: Mapping[str, Revision]) -> list[str]:
    """Parents first; those of a broken or circular chain last."""
    done: list[str] = []
    left = dict(sorted(revisions.items()))
    while left:
        ready = [name for name, entry in left.items() if not any(parent in left for parent in entry.parents)]
        for name in ready or list(left):
            done.append(name)
            del left[name]
    return done


def _broken_links(revisions: Mapping[str, Revision]) -> list[str]:
    return [
        f"{entry.name} follows {parent}, which is not in the checkout"
        for entry in revisions.values()
        for parent in entry.parents
        if parent not in revisions
    ]
