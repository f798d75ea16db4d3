"""Commands about how a run is conducted: the clock, gates, tripwires, sections, claims, approval and the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from migconsole.domain import policy
from migconsole.domain.policy import ALLOWED, Verdict

if TYPE_CHECKING:
    from migconsole.tui.commands import Context, Scope, UiCommand

Make = Callable[..., "UiCommand"]


def _no(reason: str) -> Verdict:
    return Verdict(False, reason)


def _acting(context: Context) -> Verdict:
    """What a watching console may do as well, unless it is read-only."""
    if not context.session:
        return _no("no run is open")
    return _no("this console is read-only") if context.session.read_only else ALLOWED


def unended(context: Context) -> Verdict:
    """Whether the run goes on."""
    if not context.session:
        return _no("no run is open")
    run = context.session.run
    return _no(f"the run has ended ({run.state.value})") if run.ended_at else ALLOWED


def _gates(context: Context) -> Verdict:
    if context.session and not context.session.checklist.gates:
        return _no("this checklist declares no gates")
    return ALLOWED if context.session else _no("no run is open")


def _wires(context: Context) -> Verdict:
    if context.session and not context.session.checklist.tripwires:
        return _no("this checklist declares no tripwires")
    return _acting(context)


def _claim(context: Context) -> Verdict:
    if not context.session or not context.item:
        return _no("no item is selected" if context.session else "no run is open")
    if context.session.run.claims.held.get(context.item.id) is None:
        why = policy.may_claim(context.session.run, context.item)
        if why:
            return _no(why)
    return _acting(context)


def _approve(context: Context) -> Verdict:
    if not context.session:
        return _no("no run is open")
    why = context.session.conduct.refuse_commit()
    return _no(why) if why else ALLOWED


def while_watching(id: str, context: Context) -> bool:
    """Whether a console that does not drive may do this all the same: say that what it has claimed is done."""
    session, item = context.session, context.item
    if session is None or item is None or id not in ("attest", "answer"):
        return False
    return session.conduct.claim_number(item.id) is not None


def run_commands(make: Make, scope: Scope, group: str) -> tuple[UiCommand, ...]:
    """What can be asked for on the main screen; letters that nothing else has."""
    rows: tuple[tuple[Any, ...], ...] = (
        ("clock", "O", "clock", "Set or move T-0 and the window; decide past the last safe abort", unended, True),
        ("gates", "V", "gates", "Go/no-go polls: how they stand, and your vote", _gates, False),
        ("tripwires", "X", "roll back if", "Trip, acknowledge or clear a tripwire", _wires, False),
        ("call_section", "C", "call section", "Call the section complete, by name", unended, True),
        ("claim", "m", "claim", "Take a manual item on, or give it up", _claim, False),
        ("approve", "A", "approve", "A named person approves the plan", _approve, True),
        ("end_run", "E", "end run", "Completed, rolled back or abandoned", unended, True),
    )
    return tuple(
        make(id, key, title, words, group, scope, rule, danger=danger) for id, key, title, words, rule, danger in rows
    )
