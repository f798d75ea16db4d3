"""The one registry of what an operator can ask for: key bindings, footer, palette and help are all made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from textual.binding import Binding, BindingType

from migconsole.domain.checklist import Answer, Item
from migconsole.domain.policy import ALLOWED, Command, Verdict
from migconsole.domain.procedure import DEEDS, cancel_refusal
from migconsole.tui import conduct_commands
from migconsole.tui.record_commands import run_commands, run_or_tell, sign_off_commands, timeline_commands
from migconsole.tui.rollback_commands import rollback_commands, wizard_commands

if TYPE_CHECKING:
    from migconsole.engine.session import Session


class Scope(StrEnum):
    """Where a key works. A narrower scope is bound on the pane itself, so one key may mean two things in two panes."""

    APP = "everywhere"
    RUN = "in a run"
    TREE = "in the checklist"
    OUTPUT = "in the output"
    RUNS = "in the list of runs"
    TIMELINE = "in the timeline"
    HEALTH = "in the health screen"
    SIGN_OFF = "in the sign-off"
    ROLLBACK = "in the rollback wizard"


@dataclass(frozen=True, slots=True)
class Context:
    """What decides whether a command is possible: the screen, the pane and the item under the cursor.

    ``waiting`` is set after a resume until the operator has said that work goes on. ``attempt`` is the number of the
    attempt whose output is shown (0: none), ``shown`` its item: not always the one under the cursor. ``health`` is set
    where there is something to show on the health screen; ``reasons`` are that screen's own: command → why not now.
    """

    screen: str = "main"
    pane: str = "tree"
    session: Session | None = None
    item: Item | None = None
    alternative: int = 0
    attempt: int = 0
    shown: str = ""
    waiting: bool = False
    library: bool = False
    health: bool = False
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def read(self) -> str:
        """The item whose attempts are meant: the one whose output is being read, else the one under the cursor."""
        if self.pane == "output" and self.shown:
            return self.shown
        return self.item.id if self.item is not None else ""


Rule = Callable[[Context], Verdict]


@dataclass(frozen=True, slots=True)
class UiCommand:
    """One command. ``footer`` orders the footer (0: not in it); ``danger``: it can change the run or the target."""

    id: str
    keys: tuple[str, ...]
    title: str
    help: str
    group: str
    scope: Scope
    enabled: Rule
    danger: bool = False
    footer: int = 0


def _always(context: Context) -> Verdict:
    return ALLOWED


def _no(reason: str) -> Verdict:
    return Verdict(False, reason)


def _in_run(context: Context) -> Verdict:
    return ALLOWED if context.session else _no("no run is open")


def _on_item(context: Context) -> Verdict:
    if not context.session:
        return _no("no run is open")
    return ALLOWED if context.item else _no("no item is selected")


def _move(command: Command) -> Rule:
    def rule(context: Context) -> Verdict:
        if not context.session or not context.item:
            return _on_item(context)
        if context.waiting and command in (Command.RUN, Command.FORCE):
            return _no("the run was resumed; say that work goes on first (R)")
        return context.session.verdict(context.item.id, command, context.alternative)

    return rule


def _attest(context: Context) -> Verdict:
    if context.session and context.item and isinstance(context.item.steps[0].step.action, Answer):
        return _move(Command.ANSWER)(context)
    return _move(Command.ATTEST)(context)


def _out_of_order(context: Context) -> Verdict:
    verdicts = [_move(command)(context) for command in (Command.RUN, Command.ATTEST, Command.ANSWER)]
    if any(verdict.overridable for verdict in verdicts):
        return ALLOWED
    if any(verdict.allowed for verdict in verdicts):
        return _no("it is its turn; nothing needs overriding")
    return _no(verdicts[0].reason)


def _note(context: Context) -> Verdict:
    if not context.session:
        return _no("no run is open")
    return _no("this console is read-only") if context.session.read_only else ALLOWED


def _hold(context: Context) -> Verdict:
    if not context.session:
        return _no("no run is open")
    if context.session.run.ended_at:
        return _no("the run has ended")
    return ALLOWED


def _hand_over(context: Context) -> Verdict:
    if not context.session:
        return _no("no run is open")
    return _no("this console is read-only") if context.session.read_only else ALLOWED


def _start_work(context: Context) -> Verdict:
    return ALLOWED if context.waiting else _no("work is not waiting: the run was not resumed, or R was said already")


def _attempts(context: Context) -> Verdict:
    if not context.session or not (context.item or context.read):
        return _on_item(context)
    if context.session.run.record(context.read).attempts:
        return ALLOWED
    return _no("nothing has been run here yet")


def _output(context: Context) -> Verdict:
    return ALLOWED if context.attempt else _no("no output is shown")


def _health(context: Context) -> Verdict:
    if context.health:
        return ALLOWED
    return _no("no watcher runs: this console was opened without one") if context.session else _no("no run is open")


def _unless(id: str) -> Rule:
    return lambda context: _no(context.reasons[id]) if id in context.reasons else ALLOWED


def _library(context: Context) -> Verdict:
    return ALLOWED if context.library else _no("this console was opened for one run")


def _c(
    id: str,
    keys: str,
    title: str,
    help: str,
    group: str,
    scope: Scope,
    enabled: Rule = _always,
    *,
    danger: bool = False,
    footer: int = 0,
) -> UiCommand:
    return UiCommand(id, tuple(keys.split()), title, help, group, scope, enabled, danger, footer)


_ITEM, _GO, _OUT, _RUN, _LOOK, _LISTS = "Item", "Move", "Output", "Run", "Screen", "Lists"
_T, _R, _O, _A = Scope.TREE, Scope.RUN, Scope.OUTPUT, Scope.APP


def _d(id: str, keys: str, title: str, help: str, *, danger: bool = False, footer: int = 0) -> UiCommand:
    """A command of the health screen, which itself says what is not possible now."""
    id = f"health_{id}"
    return _c(id, keys, title, help, "Health", Scope.HEALTH, _unless(id), danger=danger, footer=footer)


_HEALTH: tuple[UiCommand, ...] = (
    _d("tab_1", "1", "overview", "Values over time, with limits and steps"),
    _d("tab_2", "2", "activity", "Sessions, and who waits for whom"),
    _d("tab_3", "3", "tables", "Sizes, growth, dead rows, scans"),
    _d("tab_4", "4", "indexes", "Use, size, what is invalid or double"),
    _d("tab_5", "5", "queries", "Statements in the window between two samples"),
    _d("tab_6", "6", "progress", "Builds, vacuums, copies, rewrites"),
    _d("tab_7", "7", "replication", "Standbys, slots, archiving"),
    _d("tab_8", "8", "log", "The server's log"),
    _d("tab_9", "9", "comparison", "What changed since before the migration"),
    _d("open", "enter", "open", "Everything about the row", footer=1),
    _d("cancel", "c", "cancel", "Cancel what the session runs; asks", danger=True, footer=2),
    _d("terminate", "K", "end session", "End the session; asks", danger=True, footer=3),
    _d("acknowledge", "a", "acknowledge", "You have seen the alarm that is shown", danger=True, footer=4),
    _d("filter", "slash", "filter", "Rows with these words; lines of the log", footer=5),
    _d("sort_next", "greater_than_sign right", "sort", "Sort by the next column", footer=6),
    _d("sort_previous", "less_than_sign left", "sort back", "Sort by the column before"),
    _d("reverse", "r", "reverse", "Sort the other way round"),
    _d("unsort", "o", "order", "The order it came in"),
    _d("pause", "p space", "pause", "Hold the picture; collection goes on", footer=7),
    _d("longer", "plus", "longer", "Look back further; a later window (comparison)", footer=9),
    _d("shorter", "minus", "shorter", "Look back less far; an earlier window", footer=9),
    _d("alarms", "e", "alarms", "Open alarms and the rows that raised them", footer=10),
    _d("copy", "y", "copy", "Copy the row with exact values"),
    _d("next_table", "tab", "next table", "Next table of the tab"),
    _d("previous_table", "shift+tab", "previous table", "Previous table"),
    _d("follow", "f", "follow", "Stay at the end of the log"),
    _d("worse", "w", "warnings", "WARNING and worse, or all of the log"),
    _d("baseline", "b", "baseline", "Take a snapshot now, to compare with later"),
    _d("retry", "R", "retry", "Try again what the server refused"),
    _d("close", "escape", "back", "Clear the message, the filter, the row; then back", footer=8),
)

COMMANDS: tuple[UiCommand, ...] = (
    _c("run", "r", "run", "Run the item's action", _ITEM, _R, run_or_tell(_move(Command.RUN)), danger=True, footer=1),
    _c("attest", "space x", "attest", "Say that you did it", _ITEM, _T, _attest, danger=True, footer=2),
    _c("cancel", "c", "cancel", "Stop the running command", _ITEM, _R, _move(Command.STOP), danger=True, footer=3),
    _c("answer", "a", "answer", "Answer with a value", _ITEM, _R, _move(Command.ANSWER), danger=True, footer=4),
    _c("accept", "w", "ok with issues", "Accept it with issues", _ITEM, _R, _move(Command.ACCEPT), danger=True),
    _c("skip", "s", "skip", "Skip it, with a reason", _ITEM, _R, _move(Command.SKIP), danger=True),
    _c("exclude", "n", "not applicable", "It does not apply here", _ITEM, _T, _move(Command.EXCLUDE), danger=True),
    _c("defer", "d", "defer", "Do it later: when, and why", _ITEM, _R, _move(Command.DEFER), danger=True),
    _c("force", "F", "force", "Go on past a failure", _ITEM, _R, _move(Command.FORCE), danger=True),
    _c("reopen", "u", "reopen", "Make it todo again", _ITEM, _R, _move(Command.REOPEN), danger=True),
    _c(
        "override",
        "o",
        "out of order",
        "Do it before its turn or without a proof, with a reason",
        _ITEM,
        _R,
        _out_of_order,
        danger=True,
    ),
    _c("note", "plus", "note", "Write a note", _ITEM, _R, _note),
    _c("evidence", "e", "evidence", "Attempts and what they left", _ITEM, _R, _attempts, footer=5),
    _c("copy_command", "y", "copy command", "Copy the resolved command", _ITEM, _T, _on_item),
    _c("down", "j down", "down", "Next line", _GO, _T),
    _c("up", "k up", "up", "Previous line", _GO, _T),
    _c("fold", "h left", "fold", "Fold, or go to the heading", _GO, _T),
    _c("unfold", "l right", "unfold", "Unfold", _GO, _T),
    _c("open", "enter", "open", "Fold or unfold; run a read-only item; else its details", _GO, _T, _in_run),
    _c("top", "g home", "top", "First line", _GO, _T),
    _c("bottom", "G end", "bottom", "Last line", _GO, _T),
    _c("page_down", "pagedown", "page down", "One page down", _GO, _T),
    _c("page_up", "pageup", "page up", "One page up", _GO, _T),
    _c("next_actionable", "full_stop", "next", "Next item that can be done", _GO, _R, _in_run, footer=5),
    _c("next_problem", "right_square_bracket", "next problem", "Next failed or unknown item", _GO, _T, _in_run),
    _c("previous_problem", "left_square_bracket", "previous problem", "Previous such item", _GO, _T, _in_run),
    _c("filter", "slash", "filter", "Text, :failed :mine :open :sql :run", _GO, _T, _in_run, footer=6),
    _c("search", "slash", "search", "Search the output", _OUT, _O, _output, footer=1),
    _c("next_match", "n", "next match", "Next match", _OUT, _O, _output, footer=2),
    _c("previous_match", "N", "previous match", "Previous match", _OUT, _O, _output),
    _c("output_problem", "right_square_bracket", "next error", "Next error or warning", _OUT, _O, _output, footer=3),
    _c("output_problem_back", "left_square_bracket", "previous error", "Previous error", _OUT, _O, _output),
    _c("follow", "f", "follow", "Stay at the end of the output", _OUT, _R, _output, footer=4),
    _c("filter_output", "ampersand", "filter lines", "Show matching lines only", _OUT, _O, _output),
    _c("wrap", "W", "wrap", "Wrap long lines", _OUT, _O, _output),
    _c("timestamps", "T", "timestamps", "Show when a line came", _OUT, _O, _output),
    _c("copy_output", "y", "copy", "Copy the selection, or the whole output", _OUT, _O, _output),
    _c("previous_attempt", "less_than_sign", "earlier attempt", "The attempt before", _OUT, _R, _attempts),
    _c("next_attempt", "greater_than_sign", "later attempt", "The attempt after", _OUT, _R, _attempts),
    _c("next_tab", "right_curly_bracket", "next output", "Next output that is open", _OUT, _R, _output),
    _c("previous_tab", "left_curly_bracket", "previous output", "Previous output that is open", _OUT, _R, _output),
    _c("hold", "p", "hold", "Hold the run, or release it", _RUN, _R, _hold, danger=True, footer=7),
    _c("hand_over", "H", "hand over", "Let another console drive, or take over", _RUN, _R, _hand_over),
    _c("start_work", "R", "go on", "After a resume: work goes on", _RUN, _R, _start_work, danger=True),
    *rollback_commands(_c, _R, _RUN),
    *conduct_commands.run_commands(_c, _R, _RUN),
    _c("variables", "v", "variables", "Values the commands use", _RUN, _R, _in_run),
    *run_commands(_c, _R, _RUN),
    _c("timeline", "t 5", "timeline", "Everything that happened", _RUN, _R, _in_run),
    _c("health", "D", "health", "The database: locks, sizes, queries, progress", _RUN, _R, _health, footer=11),
    _c("runs", "L", "runs", "Back to the list of runs", _RUN, _R, _library),
    _c("pane_1", "1", "checklist", "Go to the checklist", _LOOK, _R, _in_run),
    _c("pane_2", "2", "output", "Go to the output", _LOOK, _R, _in_run),
    _c("pane_3", "3", "item", "Go to the item's details", _LOOK, _R, _in_run),
    _c("pane_4", "4", "health", "Go to the server's health", _LOOK, _R, _in_run),
    _c("maximise", "z", "maximise", "This pane alone, and back", _LOOK, _R, _in_run),
    _c("next_pane", "tab", "next pane", "Next pane", _LOOK, _R),
    _c("previous_pane", "shift+tab", "previous pane", "Previous pane", _LOOK, _R),
    _c("acknowledge", "escape", "back", "Clear the message; leave the filter; never destroys", _LOOK, _R),
    _c("theme", "f2", "theme", "Next colour theme", _LOOK, _A),
    _c("palette", "colon ctrl+p", "palette", "Every command by name", _LOOK, _A, footer=8),
    _c("help", "question_mark f1", "help", "Keys, and why one is disabled", _LOOK, _A, footer=9),
    _c("quit", "q ctrl+q", "leave", "Leave; asks what happens to running commands", _LOOK, _A, footer=10),
    _c("interrupt", "ctrl+c", "interrupt", "Copy a selection, else ask; never kills", _LOOK, _A),
    _c("open_run", "enter", "open", "Open the run or start the checklist", _LISTS, Scope.RUNS, footer=1),
    _c("filter_runs", "slash", "filter", "Filter the list", _LISTS, Scope.RUNS, footer=2),
    _c("reload_runs", "f5", "reload", "Read the list again", _LISTS, Scope.RUNS, footer=3),
    _c("open_event", "enter", "evidence", "The event and its evidence", _LISTS, Scope.TIMELINE, footer=1),
    _c("filter_events", "slash", "filter", "Filter the events", _LISTS, Scope.TIMELINE, footer=2),
    *timeline_commands(_c, Scope.TIMELINE, _LISTS),
    _c("note_timeline", "plus", "note", "Write a note", _LISTS, Scope.TIMELINE, _note, footer=4),
    _c("close", "escape t", "back", "Back to the run", _LISTS, Scope.TIMELINE, footer=5),
    *_HEALTH,
    *sign_off_commands(_c, Scope.SIGN_OFF),
    *wizard_commands(_c, Scope.ROLLBACK, _unless),
)

BY_ID = {command.id: command for command in COMMANDS}

_LABELS = {
    "space": "space",
    "plus": "+",
    "minus": "-",
    "full_stop": ".",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "right_curly_bracket": "}",
    "left_curly_bracket": "{",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "slash": "/",
    "ampersand": "&",
    "colon": ":",
    "question_mark": "?",
    "shift+tab": "shift+tab",
    "escape": "esc",
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
    "pagedown": "pgdn",
    "pageup": "pgup",
}


_EVERYWHERE = ("ctrl+q", "ctrl+c")
"""Keys that work while a dialog or an input has the focus; a letter never does, it would be swallowed."""


def label(key: str) -> str:
    """A key as people write it.

    >>> label("question_mark"), label("f1"), label("r")
    ('?', 'F1', 'r')
    """
    if key in _LABELS:
        return _LABELS[key]
    return key.upper() if len(key) in (2, 3) and key[0] == "f" and key[1:].isdigit() else key


def verdict(command: UiCommand, context: Context) -> Verdict:
    """Whether a command is possible now, and why not: the only place that knows read-only and watching consoles."""
    session = context.session
    if command.danger and session is not None:
        if session.read_only:
            return _no("this console is read-only")
        if not session.driving and not conduct_commands.while_watching(command.id, context):
            return _no("this console watches; H takes over")
    return command.enabled(context)


def removed(command: UiCommand, context: Context) -> bool:
    """Whether a command has no place on this console at all: a console that may not act does not offer to."""
    session = context.session
    watches = session is not None and not session.driving and not conduct_commands.while_watching(command.id, context)
    if session is not None and command.id == "cancel" and context.item is not None:
        last = session.run.record(context.item.id).last
        if last is not None and last.running and last.job in DEEDS and cancel_refusal(session.run):
            return True
    return command.danger and session is not None and (session.read_only or watches)


def in_scope(context: Context) -> Iterator[UiCommand]:
    """The commands that make sense on a screen and pane, in registry order."""
    scopes = {
        "main": (Scope.RUN, Scope.OUTPUT if context.pane == "output" else Scope.TREE, Scope.APP),
        "runs": (Scope.RUNS, Scope.APP),
        "timeline": (Scope.TIMELINE, Scope.APP),
        "health": (Scope.HEALTH, Scope.APP),
        "sign-off": (Scope.SIGN_OFF, Scope.APP),
        "rollback": (Scope.ROLLBACK, Scope.APP),
    }.get(context.screen, (Scope.APP,))
    return (command for command in COMMANDS if command.scope in scopes)


def bindings(*scopes: Scope) -> list[BindingType]:
    """Key bindings for a screen or pane. Disabled ones stay bound: pressing them says why."""
    return [
        Binding(
            key,
            f"app.command('{command.id}')",
            command.title,
            id=command.id,
            show=False,
            tooltip=command.help,
            priority=key in _EVERYWHERE,
        )
        for command in COMMANDS
        if command.scope in scopes
        for key in command.keys
    ]
