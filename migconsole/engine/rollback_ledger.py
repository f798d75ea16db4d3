"""Putting a deed on record: what was decided, each step before and after, and its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from migconsole.domain import rollback_record as record
from migconsole.domain.rollback_plan import Course, Deed, Outcome, Plan, PlanStep, Verdict
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.rollback_verified import LIMIT, Verification
from migconsole.engine.rollback_ports import Keeper
from migconsole.errors import JournalError, MigconsoleError


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided, why, and under which identifier it goes on record. ``cancelled`` says whether to stop.

    ``verify_limit`` is how many seconds the reading back of the content may take.
    """

    id: str
    by: str
    reason: str
    cancelled: Callable[[], bool] = field(default=lambda: False)
    verify_limit: float = LIMIT


class Ledger:
    """Writes one deed into where it is kept. Every method raises JournalError when that is not durable."""

    def __init__(self, keeper: Keeper, plan: Plan, survey: Survey, decision: Decision) -> None:
        self._keeper = keeper
        self._plan = plan
        self._survey = survey
        self._decision = decision

    async def started(self) -> None:
        """The deed begins."""
        survey, plan, decision = self._survey, self._plan, self._decision
        oid = survey.app.oid if survey.app is not None else 0
        if survey.forward_only and survey.replacement is not None:
            oid = survey.replacement.oid
        data = {
            "rollback": decision.id,
            "deed": plan.deed.value,
            "strategy": plan.strategy.value if plan.strategy else "",
            "title": plan.title,
            "reason": decision.reason,
            "by": decision.by,
            "owner": survey.owner,
            "app": survey.names.app,
            "oid": oid,
            "backup": survey.backup,
            "target": survey.target,
            "system": survey.server.system,
            "server_time": survey.at,
            "steps": [step.id for step in plan.steps],
            "loss": list(plan.loses),
        }
        await self._keeper.append(record.STARTED, data, f"rollback:{decision.id}:started")

    async def stepped(self, step: PlanStep, course: Course, why: str = "") -> None:
        """A step began, ended, or was undone."""
        data: dict[str, Any] = {"rollback": self._decision.id, "step": step.id}
        data |= {"title": step.title, "course": course.value}
        data |= {"text": step.text} if course is Course.BEGAN else {}
        data |= {"why": why} if why else {}
        data |= {"no_return": True} if step.no_return and course is Course.DONE else {}
        await self._keeper.append(record.STEP, data, f"rollback:{self._decision.id}:{step.id}:{course.value}")

    async def ended(self, outcome: Outcome, oid: int) -> Outcome:
        """The deed ended; ``oid`` is the database's now, 0 where it is not known.

        A record that broke meanwhile is said in the outcome, which has happened all the same.
        """
        data = {
            "rollback": self._decision.id,
            "deed": self._plan.deed.value,
            "verdict": outcome.verdict.value,
            "why": outcome.reason,
            "outage": outcome.outage,
            "seconds": outcome.seconds,
        }
        try:
            await self._keeper.append(record.ENDED, data, f"rollback:{self._decision.id}:ended")
            if oid and outcome.well:
                await self._keeper.expect(oid, f"rollback:{self._decision.id}:pinned")
            await self._restore_point(outcome)
        except JournalError as error:
            reason = "; ".join(filter(None, (outcome.reason, f"its end is not on record: {words(error)}")))
            return Outcome(outcome.verdict, reason, outcome.outage, outcome.seconds, outcome.next)
        return outcome

    async def verified(self, verification: Verification) -> None:
        """What the reading back of the content gave."""
        data = {"rollback": self._decision.id} | verification.data()
        await self._keeper.append(record.VERIFIED, data, f"rollback:{self._decision.id}:verified")

    async def _restore_point(self, outcome: Outcome) -> None:
        """The armed copy is used, or gone."""
        side = self._survey.side
        marker = side.marker if side is not None else None
        if marker is None or not marker.backup:
            return
        state = {Verdict.SWAPPED: "used", Verdict.PURGED: "purged"}.get(outcome.verdict)
        if self._plan.deed is Deed.PURGE and not self._plan.confirm.startswith(self._survey.names.side):
            return
        if state is not None:
            fact: Mapping[str, Any] = {
                "state": state,
                "backup": marker.backup,
                "side": self._survey.names.side,
                "sha256": marker.manifest,
                "durations": {"swap": outcome.outage} if outcome.outage is not None else {},
            }
            await self._keeper.restore_point(fact, f"restore-point:{marker.backup}:{self._decision.id}:{state}")


def words(error: MigconsoleError) -> str:
    """An error in one line."""
    return " ".join(filter(None, (error.title, error.detail)))
