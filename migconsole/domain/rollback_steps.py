"""From a survey to a plan: which steps, with which statements, in which order. Pure; nothing here talks to a server."""

from __future__ import annotations

from dataclasses import replace

from migconsole.domain.rollback import Mark, Marker, literal, quoted
from migconsole.domain.rollback_plan import (
    FENCE_SECONDS,
    SWAP_SECONDS,
    UNHELD_POOLER_SECONDS,
    Act,
    PlanStep,
    Strategy,
)
from migconsole.domain.rollback_survey import Survey

LOCK_TIMEOUT = "10s"
"""How long the swap waits for the lock on a database's name; sessions that are arriving hold it for milliseconds."""


ENDING = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = "


def ending(database: str) -> str:
    """The statement that ends every session of a database, for people; all are signalled before any is waited for."""
    return f"{ENDING}{literal(database)};"


def lead_in(survey: Survey, database: str) -> tuple[PlanStep, ...]:
    """From looking once more to a database without sessions: what every renaming begins with."""
    row = survey.rows.get(database)
    expects = ((database, row.oid),) if row is not None else ()
    opened = f"ALTER DATABASE {quoted(database)} WITH ALLOW_CONNECTIONS true"
    steps = [
        PlanStep(
            "look",
            "Look for what stands in the way",
            Act.CHECK,
            command="prepared transactions, replication slots, subscriptions, background workers, dumps",
            estimate=0.0,
            database=database,
            expects=expects,
        ),
        PlanStep(
            "watcher-away",
            "Have the health watcher leave the database",
            Act.WATCHER,
            command="stand down",
            undoing="it comes back",
            estimate=0.0,
        ),
    ]
    if pause := survey.hooks.get("pause", ""):
        steps.append(
            PlanStep(
                "pooler-pause",
                "Hold clients back at the pooler",
                Act.HOOK,
                command=pause,
                undo_hook=survey.hooks.get("resume", ""),
                undoing=survey.hooks.get("resume", ""),
                estimate=0.0,
                outage=True,
            )
        )
    steps += [
        PlanStep(
            "fence",
            f"Close {database} to new connections",
            Act.STATEMENTS,
            (f"ALTER DATABASE {quoted(database)} WITH ALLOW_CONNECTIONS false",),
            undo=(opened,),
            undoing=opened + ";",
            estimate=0.0,
            outage=True,
            destructive=True,
            expects=expects,
        ),
        PlanStep(
            "end-sessions",
            f"End every session of {database}, then wait until none is left",
            Act.SESSIONS,
            command=ending(database),
            undoing="clients connect again by themselves",
            estimate=FENCE_SECONDS,
            outage=True,
            destructive=True,
            database=database,
            expects=expects,
        ),
    ]
    return tuple(steps)


def lead_out(survey: Survey) -> tuple[PlanStep, ...]:
    """After the renaming: let the pooler's clients go on, and the watcher come back."""
    steps = []
    if resume := survey.hooks.get("resume", ""):
        steps.append(
            PlanStep(
                "pooler-resume",
                "Let the pooler's clients go on",
                Act.HOOK,
                command=resume,
                estimate=0.0,
                outage=True,
            )
        )
    elif survey.pooler:
        steps.append(
            PlanStep(
                "pooler-finds-out",
                "The pooler finds out by itself",
                Act.HAND,
                command=f"no pooler hooks in the checklist, and a pooler is there: {survey.pooler}",
                estimate=UNHELD_POOLER_SECONDS,
                outage=True,
                note="expect 15 s and more",
            )
        )
    steps.append(
        PlanStep("watcher-back", "Have the health watcher come back", Act.WATCHER, command="stand up", estimate=0.0)
    )
    return tuple(steps)


def swap_steps(survey: Survey) -> tuple[PlanStep, ...]:
    """Fence, end the sessions, one transaction with both renames, and read back."""
    names, app, side = survey.names, survey.app, survey.side
    marker = side.marker if side is not None else None
    if app is None or side is None or marker is None:
        raise ValueError("a swap needs both databases")
    original = survey.original
    comment = original.comment if original.known else app.comment
    failed = replace(marker.stepped(Mark.FAILED, survey.at), owner=survey.owner or marker.owner, comment=app.comment)
    statements = (
        "BEGIN",
        f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'",
        f"ALTER DATABASE {quoted(names.app)} RENAME TO {quoted(names.failed)}",
        f"ALTER DATABASE {quoted(names.side)} RENAME TO {quoted(names.app)}",
        f"COMMENT ON DATABASE {quoted(names.failed)} IS {literal(failed.text())}",
        f"COMMENT ON DATABASE {quoted(names.app)} IS {literal(comment)}",
        *original.settings,
        f"ALTER DATABASE {quoted(names.app)} WITH ALLOW_CONNECTIONS true",
        "COMMIT",
    )
    swap = _renaming(
        "swap",
        f"Swap: {names.app} becomes {names.failed}, {names.side} becomes {names.app}",
        statements,
        ((names.app, app.oid), (names.side, side.oid), (names.failed, 0)),
        ((names.app, side.oid), (names.failed, app.oid), (names.side, 0)),
        "put back: the same transaction with the names reversed",
    )
    seconds = survey.measured.swap if survey.measured.swap is not None else SWAP_SECONDS
    look, *fence = lead_in(survey, names.app)
    return (
        replace(look, closed=(names.side,)),
        *fence,
        replace(swap, estimate=seconds, closed=(names.side,)),
        _read_back(swap),
        *lead_out(survey),
        verify_step(survey, Strategy.SWAP),
    )


def verify_step(survey: Survey, strategy: Strategy) -> PlanStep:
    """Reading the content back, with clients let in again, so that the outage does not wait for it."""
    title = f"Read {survey.names.app} back and compare it with the manifest"
    command = "counts, hashes where taken, sequences, extensions, invalid indexes, rights and settings; left-over locks"
    if strategy is Strategy.REVERT:
        title = f"Compare the schema of {survey.names.app} with the one that was kept before the migration"
        command = "schema fingerprint"
    elif not survey.backup:
        command = "no manifest is at hand (--backup DIR): it will count as not verified"
    return PlanStep("verify", title, Act.VERIFY, command=command, note="while clients go on")


def put_back_steps(survey: Survey) -> tuple[PlanStep, ...]:
    """The swap with the names reversed: the failed database becomes the live one again."""
    names, app, failed = survey.names, survey.app, survey.failed
    marker = failed.marker if failed is not None else None
    if app is None or failed is None or marker is None:
        raise ValueError("putting back needs both databases")
    used = Marker(marker.owner, names.app, Mark.USED, marker.backup, marker.manifest, survey.at)
    statements = (
        "BEGIN",
        f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'",
        f"ALTER DATABASE {quoted(names.app)} RENAME TO {quoted(names.side)}",
        f"ALTER DATABASE {quoted(names.failed)} RENAME TO {quoted(names.app)}",
        f"COMMENT ON DATABASE {quoted(names.side)} IS {literal(used.text())}",
        f"COMMENT ON DATABASE {quoted(names.app)} IS {literal(marker.comment)}",
        f"ALTER DATABASE {quoted(names.app)} WITH ALLOW_CONNECTIONS true",
        "COMMIT",
    )
    back = _renaming(
        "put-back",
        f"Put back: {names.app} becomes {names.side}, {names.failed} becomes {names.app}",
        statements,
        ((names.app, app.oid), (names.failed, failed.oid), (names.side, 0)),
        ((names.app, failed.oid), (names.side, app.oid), (names.failed, 0)),
        "roll back again: the swap",
    )
    return (*lead_in(survey, names.app), back, _read_back(back), *lead_out(survey))


def _renaming(
    step: str,
    title: str,
    statements: tuple[str, ...],
    expects: tuple[tuple[str, int], ...],
    after: tuple[tuple[str, int], ...],
    undoing: str,
) -> PlanStep:
    return PlanStep(
        step,
        title,
        Act.TRANSACTION,
        statements,
        undoing=undoing,
        estimate=SWAP_SECONDS,
        no_return=True,
        outage=True,
        destructive=True,
        expects=expects,
        after=after,
    )


def _read_back(step: PlanStep) -> PlanStep:
    return PlanStep(
        "read-back",
        "Read back what the server has now",
        Act.READ_BACK,
        command="SELECT datname, oid, datallowconn FROM pg_catalog.pg_database;",
        estimate=0.0,
        expects=step.after,
    )


def open_steps(survey: Survey) -> tuple[PlanStep, ...]:
    """Let clients in again: unfence."""
    names, app = survey.names, survey.app
    if app is None:
        raise ValueError("there is nothing to open")
    expects = ((names.app, app.oid),)
    opened = f"ALTER DATABASE {quoted(names.app)} WITH ALLOW_CONNECTIONS true"
    step = PlanStep(
        "unfence",
        f"Open {names.app} to connections",
        Act.STATEMENTS,
        (opened,),
        estimate=0.0,
        destructive=True,
        expects=expects,
        after=expects,
    )
    return (step, _read_back(step), *lead_out(survey))


def purge_steps(survey: Survey, database: str) -> tuple[PlanStep, ...]:
    """Drop one database of ours that no client uses."""
    row = survey.rows[database]
    return (
        PlanStep(
            "look",
            "Look for what stands in the way",
            Act.CHECK,
            command="sessions, prepared transactions, replication slots, subscriptions, the marker",
            estimate=0.0,
            database=database,
            expects=((database, row.oid),),
        ),
        PlanStep(
            "drop",
            f"Drop {database}",
            Act.STATEMENTS,
            (f"DROP DATABASE {quoted(database)}",),
            undoing="nothing: what is in it is gone",
            estimate=1.0,
            no_return=True,
            destructive=True,
            database=database,
            expects=((database, row.oid),),
            after=((database, 0),),
        ),
        PlanStep(
            "read-back",
            "Read back what the server has now",
            Act.READ_BACK,
            command="SELECT datname FROM pg_catalog.pg_database;",
            estimate=0.0,
            expects=((database, 0),),
        ),
    )
