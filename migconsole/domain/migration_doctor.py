"""After a migration went wrong: what it left behind, and the exact next command with what must hold before it.

Nothing here is ever run by itself. Where the schema of before is not known, the advice says so and names no command
that would declare the database clean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migconsole.domain.migrations import MigrationReport, MigrationState


@dataclass(frozen=True, slots=True)
class Advice:
    """A next step. ``command`` is "" where only a person can decide; ``only_if`` must hold before it."""

    why: str
    only_if: str
    command: str = ""

    def lines(self) -> list[str]:
        """For a person."""
        found = [f"next: {self.why}", f"  only if: {self.only_if}"]
        return [*found, f"  then:    {self.command}"] if self.command else found


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What was found. ``changes`` is None where the schema of before is not known, empty where nothing differs.

    ``invalid`` are indexes, ``not_valid`` the statements that validate constraints, ``at_work`` live migrators.
    """

    tool: str
    report: MigrationReport | None
    changes: tuple[str, ...] | None = None
    invalid: tuple[str, ...] = ()
    not_valid: tuple[str, ...] = ()
    at_work: tuple[str, ...] = ()
    liquibase: tuple[str, ...] = ()


_RESUME = {
    "alembic": "alembic upgrade head",
    "django": "python manage.py migrate",
    "dbmate": "dbmate up",
    "sqitch": "sqitch deploy --verify",
    "flyway": "flyway migrate",
    "prisma": "npx prisma migrate deploy",
}
_NOBODY = "nobody else migrates this database now"


def advise(found: Leftovers) -> list[Advice]:
    """The next steps, the first one first. While a migrator is at work there is only one: wait."""
    if found.at_work:
        who = "; ".join(found.at_work)
        return [
            Advice(f"a migrator is at work ({who}): wait for it or cancel it first", "nothing else is begun before")
        ]
    return [*_failed(found), *_files(found), *_objects(found)]


def _failed(found: Leftovers) -> Iterator[Advice]:
    names = found.report.names(MigrationState.FAILED) if found.report else ()
    for name in names:
        if found.changes is None:
            why = f"{name} failed, and the schema of before it is not on record: compare by hand what it left"
            yield Advice(why, "you know what is there")
        elif found.changes:
            why = (
                f"{name} was applied in part ({len(found.changes)} differences): take them back or finish them by hand"
            )
            yield Advice(why, "each difference listed above is the failed migration's own")
            undone = _undone(found, name)
            yield Advice("if you took all of it back", "the schema equals the one of before: check again", undone)
            done = _done(found, name)
            if done:
                yield Advice("if you finished all of it", "every statement of its file has been carried out", done)
        else:
            why = f"{name} failed and left nothing: the schema is the one of before"
            only = f"{_NOBODY}; rows that it changed outside of a transaction are not seen here"
            yield Advice(why, only, _undone(found, name))


def _undone(found: Leftovers, name: str) -> str:
    commands = {
        "prisma": f"npx prisma migrate resolve --rolled-back {name}",
        "flyway": "flyway repair",
        "sqitch": "sqitch deploy --verify",
    }
    return commands.get(found.tool, _RESUME.get(found.tool, ""))


def _done(found: Leftovers, name: str) -> str:
    return {
        "prisma": f"npx prisma migrate resolve --applied {name}",
        "sqitch": f"sqitch deploy --log-only --to {name}",
    }.get(found.tool, "")


def _files(found: Leftovers) -> Iterator[Advice]:
    report = found.report
    if report is None:
        return
    for name in report.names(MigrationState.EDITED):
        why = f"{name} is another file than what was applied: put the applied one back"
        yield Advice(why, "you know which of the two is right")
    if unknown := report.names(MigrationState.UNKNOWN):
        why = f"{len(unknown)} applied ones are not in this checkout: check out the revision that has them"
        yield Advice(why, "this checkout is the wrong one, and not the database")
    trouble = (MigrationState.FAILED, MigrationState.EDITED, MigrationState.UNKNOWN)
    clean = not any(report.names(state) for state in trouble)
    if clean and MigrationState.FAILED in report.blind and found.changes and report.names(MigrationState.PENDING):
        why = (
            f"the schema changed since it was kept, and {found.tool} records no failures: look whose changes these are"
        )
        yield Advice(why, "you know what is there")


def _objects(found: Leftovers) -> Iterator[Advice]:
    for name in found.invalid:
        why = f"index {name} is INVALID: it costs every write and answers no query; drop it, then build it again"
        yield Advice(why, "no CREATE INDEX or REINDEX of it is running", f"DROP INDEX CONCURRENTLY {name};")
    for statement in found.not_valid:
        why = "a constraint was never validated: the rows of before are not checked"
        yield Advice(why, "the rows obey it; it reads the whole table without blocking writes", statement)
    for holder in found.liquibase:
        why = f"Liquibase's lock is held by {holder}; it outlives the process that took it"
        yield Advice(why, "that process is dead", "liquibase release-locks")
