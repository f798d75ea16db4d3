"""A backup and a change never run at once: a dump holds a lock on every table, and what alters one waits for it."""

from __future__ import annotations

from collections.abc import Sequence

from migconsole.domain.checklist import Action, Danger, Job, Located
from migconsole.domain.restore_gate import is_maker
from migconsole.domain.run import Run


def dumped(located: Located, dumps: Sequence[str], action: Action, danger: Danger) -> str:
    """Why a step of the way forward would meet a dump, or "". Going back does not wait for one, it ends it.

    ``dumps`` are sessions on the server that copy the database out, in words: anybody's.
    """
    if danger is Danger.READ or located.phase is None or not dumps or is_maker(action):
        return ""
    return (
        f"the database is being dumped ({'; '.join(dumps[:3])}): what alters a table would wait for its locks, and "
        "everybody behind it; wait for its end, or end it"
    )


def beside(run: Run, action: Action) -> str:
    """Why a backup has to wait, or "": it reads, and yet would block what changes the database, or be blocked."""
    if not isinstance(action, Job) or action.name != "backup":
        return ""
    for attempt in run.running():
        if attempt.danger != Danger.READ or attempt.job == "backup":
            return f"{attempt.item} is running; a backup is taken when nothing else works on the database"
    return ""
