"""Looking before an act: whether everything is still what the plan was made for, by what the server says now."""

from __future__ import annotations

from migconsole.domain.rollback_plan import PlanStep
from migconsole.domain.rollback_survey import Blocker
from migconsole.engine.rollback_ports import Operator
from migconsole.errors import StoppedError

AGAIN = "Look again with --plan."


async def compare(operator: Operator, step: PlanStep) -> None:
    """The fingerprint, before every destructive statement; raises StoppedError for any difference."""
    differences = list(await operator.differences(step.expects))
    if step.closed:
        rows = await operator.rows()
        opened = [name for name in step.closed if name in rows and rows[name].open]
        differences += [f"{name} is open to connections: somebody may have changed it" for name in opened]
    if differences:
        raise StoppedError("This is not what was planned for: nothing was done", "\n".join(differences), AGAIN)


async def look(operator: Operator, step: PlanStep, *, strict: bool) -> None:
    """The same, and what stands in the way; with ``strict`` what would only go with the database, too."""
    await compare(operator, step)
    hard = [blocker for blocker in await operator.blockers(step.database) if blocker.hard or strict]
    if hard:
        raise StoppedError("Something stands in the way", "\n".join(_said(blocker) for blocker in hard))


def _said(blocker: Blocker) -> str:
    return f"{blocker.kind} {blocker.name}: {blocker.detail}. {blocker.resolve}"
