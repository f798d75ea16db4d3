"""What an attempt leaves beside its own end: the facts of a built-in job, and the lines that a restore settles."""

from __future__ import annotations

from migconsole.domain import built_in
from migconsole.domain.checklist import Item
from migconsole.domain.events import Kind
from migconsole.domain.items import Move
from migconsole.domain.run import Attempt
from migconsole.engine.doctoring import Doctor
from migconsole.engine.recorder import Recorder
from migconsole.engine.verdicts import Outcome


async def record_facts(recorder: Recorder, attempt: Attempt, outcome: Outcome) -> None:
    """Put what a job found out on record before its end: whoever sees the end sees what it means."""
    for fact in outcome.facts:
        data = {**fact["data"], "item": attempt.item, "attempt": attempt.number}
        await recorder.record(Kind(fact["kind"]), data, key=fact["key"])


async def settle(recorder: Recorder, item: Item | None, attempt: Attempt, outcome: Outcome, doctor: Doctor) -> None:
    """What follows an attempt's end once it is on record."""
    await record_covered(recorder, item, attempt, outcome)
    await doctor.after(attempt, outcome.outcome)


async def record_covered(recorder: Recorder, item: Item | None, attempt: Attempt, outcome: Outcome) -> None:
    """Settle the lines of the rollback procedure that a restore did, or made needless."""
    strategy = attempt.arguments.get("strategy", "")
    if outcome.outcome != "passed" or item is None or not strategy:
        return
    for name, role in built_in.boxes(item).items():
        used, reason = built_in.covered(strategy, role)
        if recorder.run.record(name).refusal(Move.COVER if used else Move.OMIT, reason=reason):
            continue
        data = {"item": name, "by": attempt.item, "attempt": attempt.number, "used": used, "reason": reason}
        await recorder.record(Kind.ITEM_COVERED, data, key=f"item.covered:{name}:{attempt.item}:{attempt.number}")
