"""Reading the content back after a deed: clients are in already, the operator's lock is let go, nothing is changed.

Bounded in time, and ended by whoever asked to stop: what was not read to its end is not verified, never taken for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from migconsole.domain.rollback_plan import Act, Course, Deed, Plan, PlanStep, StepReport, Verdict
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.rollback_verified import Verification, unverified
from migconsole.engine.rollback_ledger import Decision, words
from migconsole.engine.rollback_ports import Surroundings
from migconsole.errors import MigconsoleError

PAUSE = 0.1
AFTER = (Verdict.SWAPPED, Verdict.RESTORED, Verdict.REVERTED)
"""Ends of a rollback after which there is something to read back."""


def due(plan: Plan, verdict: Verdict) -> bool:
    """Whether a deed that ended so has to be verified, or be called not verified."""
    return plan.deed is Deed.ROLLBACK and verdict in AFTER


async def verify(
    surroundings: Surroundings, plan: Plan, survey: Survey, decision: Decision, report: Callable[[StepReport], None]
) -> Verification:
    """Read back what the plan says; whatever prevents it is the reason why it is not verified."""
    step = next((step for step in plan.steps if step.act is Act.VERIFY), None)
    if step is None:
        return unverified("it was left out (--no-verify)")
    report(StepReport(step.id, step.title, Course.BEGAN))
    found = await _within(surroundings, plan, survey, decision)
    report(_news(step, found))
    return found


async def _within(surroundings: Surroundings, plan: Plan, survey: Survey, decision: Decision) -> Verification:
    reading = asyncio.ensure_future(surroundings.verify(plan, survey))
    try:
        async with asyncio.timeout(decision.verify_limit):
            while not reading.done():
                if decision.cancelled():
                    return unverified("the reading was stopped")
                await asyncio.wait({reading}, timeout=PAUSE)
            return reading.result()
    except TimeoutError:
        return unverified(f"reading it back did not end within {decision.verify_limit:.0f} s")
    except MigconsoleError as error:
        return unverified(words(error))
    finally:
        reading.cancel()
        await asyncio.wait({reading})


def _news(step: PlanStep, found: Verification) -> StepReport:
    course = Course.DONE if found.green else Course.UNKNOWN
    return StepReport(step.id, step.title, course, lines=(found.line, *found.lines))
