"""Commands about a run's record: signing off, instruction mode, and the filters of the timeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from migconsole.domain.policy import ALLOWED, Verdict
from migconsole.tui.conduct_commands import unended

if TYPE_CHECKING:
    from migconsole.tui.commands import Context, Scope, UiCommand

Make = Callable[..., "UiCommand"]


def _in_run(context: Context) -> Verdict:
    return ALLOWED if context.session else Verdict(False, "no run is open")


def _sign(context: Context) -> Verdict:
    """Whether the chosen role can be signed for; the screen says which one it is."""
    if not context.session:
        return Verdict(False, "no run is open")
    why = context.reasons.get("sign", "")
    return Verdict(False, why) if why else ALLOWED


def _close_run(context: Context) -> Verdict:
    if not context.session:
        return Verdict(False, "no run is open")
    why = context.session.signing.closing_refusal()
    return Verdict(False, why) if why else ALLOWED


def _mode(context: Context) -> Verdict:
    if not context.session:
        return Verdict(False, "no run is open")
    return Verdict(False, "the run has ended") if context.session.run.ended_at else ALLOWED


def run_or_tell(rule: Callable[[Context], Verdict]) -> Callable[[Context], Verdict]:
    """The rule of the run key: on what a person executes by hand it takes what came of it."""

    def either(context: Context) -> Verdict:
        if context.session and context.item and context.session.by_hand.open_attempt(context.item.id):
            return ALLOWED
        return rule(context)

    return either


def run_commands(make: Make, scope: Scope, group: str) -> tuple[UiCommand, ...]:
    """What can be asked for on the main screen."""
    rows: tuple[tuple[Any, ...], ...] = (
        ("sign_off", "S", "sign off", "Sign the run off for a role, refuse, close it", group, scope, _in_run),
        (
            "by_hand",
            "I",
            "instruction mode",
            "Nothing runs here: commands are copied, results told",
            group,
            scope,
            _mode,
        ),
    )
    return tuple(make(*row, danger=row[0] == "by_hand") for row in rows)


def sign_off_commands(make: Make, scope: Scope) -> tuple[UiCommand, ...]:
    """The keys of the sign-off screen."""
    group = "Sign-off"
    return (
        make("sign", "enter s", "sign", "Sign for the chosen role", group, scope, _sign, footer=1),
        make("refuse", "x", "refuse", "Refuse to sign, with a reason", group, scope, _sign, footer=2),
        make(
            "close_run",
            "C",
            "close the run",
            "Make it read-only and write its reports",
            group,
            scope,
            _close_run,
            footer=3,
        ),
        make("sign_end", "E", "end run", "Completed, rolled back or abandoned", group, scope, unended, danger=True),
        make("sign_pane", "tab shift+tab", "other pane", "Deviations, signatures", group, scope, _in_run, footer=4),
        make("sign_back", "escape S", "back", "Back to the run", group, scope, _in_run, footer=5),
    )


def timeline_commands(make: Make, scope: Scope, group: str) -> tuple[UiCommand, ...]:
    """The timeline's kinds, one after the other."""
    return (
        make("next_kind", "tab right", "kind", "Show another kind of event", group, scope, _in_run, footer=3),
        make("previous_kind", "shift+tab left", "kind before", "Show the kind before", group, scope, _in_run),
    )
