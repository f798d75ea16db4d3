"""What the item pane says, as styled text: what it is, what exactly would happen, why not, and what is on record."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content

from migconsole.domain.checklist import Answer, Danger, Item, Manual
from migconsole.domain.event_words import OUTCOMES
from migconsole.domain.items import ItemState
from migconsole.domain.policy import unmet
from migconsole.domain.procedure import DEEDS, cancel_refusal
from migconsole.domain.run import Attempt, ItemRecord
from migconsole.domain.sensing import Sense, Sensed
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.palette import status_slot
from migconsole.engine.resolve import Preview
from migconsole.engine.session import Session
from migconsole.errors import MigconsoleError
from migconsole.tui import format
from migconsole.tui.clock_line import hour
from migconsole.tui.lines import cut, hang
from migconsole.tui.rows import kind_word

DANGER_STYLE = {Danger.READ: "$good", Danger.MUTATING: "$caution", Danger.DESTRUCTIVE: "bold $danger"}

_LINES = 60
"""Evidence lines shown in the pane; all of them are in the evidence screen."""

_FEW = 12
"""The same where they stand above the command."""

Texts = list[tuple[str, str]]


def describe(session: Session, item: Item, alternative: int, width: int = 72) -> Content:
    """Everything about an item, ``width`` cells wide. Errors in resolving it are part of what is said, never raised."""
    record = session.run.record(item.id)
    blocks = [_head(session, item, record)]
    # Why it failed, or what is asked, is what somebody comes here for; elsewhere the command comes first.
    pressing = session.run.state_of(item).problem or record.awaiting
    if record.last is not None and pressing:
        blocks.append([*attempt_text(record.last, _FEW), *deed_lines(session, record.last)])
    if not item.items:
        try:
            preview = session.preview(item.id, alternative)
        except MigconsoleError as error:
            blocks.append([("▲ ", "$caution"), (sanitise(str(error)), "$caution")])
        else:
            blocks += _action(session, item, preview, width)
    if item.help:
        blocks.append([(sanitise(item.help).strip(), "")])
    if record.last is not None and not pressing:
        blocks.append([*attempt_text(record.last, _LINES), *deed_lines(session, record.last)])
    if item.watch is not None or item.schedule:
        blocks.append(sensed_text(item, session.run.sensors.senses.get(item.id)))
    notes = [note for note in session.run.notes if note.item == item.id]
    if notes:
        blocks.append([text for note in notes for text in _note(note.at, note.actor, note.text)])
    return Content("\n\n").join([Content.assemble(*block) for block in blocks if block])


def state_line(state: ItemState, record: ItemRecord) -> Texts:
    """Glyph, word, who, when and why."""
    style = f"bold ${status_slot(state)}"
    texts: Texts = [(f"{state.glyph} {state.value}", style)]
    if record.awaiting:
        texts.append(("  ended well; say what you saw (space), it is not run again", "$status-running"))
    if record.actor and state is not ItemState.TODO:
        texts.append((f"  by {sanitise_line(record.actor)}", ""))
    if record.since and state is not ItemState.TODO:
        texts.append((f"  {format.clock_time(record.since)} UTC", "$muted"))
    if record.due:
        texts.append((f"  due {sanitise_line(record.due)}", "$caution"))
    for name, value in (("value", record.value), ("note", record.note), ("reason", record.reason)):
        if value:
            texts += [(f"\n  {name}  ", "$muted"), (sanitise_line(value, 2000), "")]
    return texts


def _head(session: Session, item: Item, record: ItemRecord) -> Texts:
    texts: Texts = [(sanitise(item.title, 2000), "bold"), ("\n", "")]
    texts += state_line(session.run.state_of(item), record)
    if item.items:
        texts.append((f"\nA heading: its {len(item.items)} lines are done one by one.", "$muted"))
    return texts


def _action(session: Session, item: Item, preview: Preview, width: int) -> list[Texts]:
    kind = kind_word(item)
    facts: Texts = [(kind, "bold")]
    step = item.steps[preview.alternative].step
    person = isinstance(step.action, Manual | Answer)
    if not person:
        facts += [(" · ", "$muted"), (preview.danger.value, DANGER_STYLE[preview.danger])]
    facts += _times(session, item)
    for flag, text in ((item.required, "required"), (item.optional, "optional"), (step.interactive, "interactive")):
        if flag:
            facts += [(" · ", "$muted"), (text, "")]
    facts += _needs(session, item, width)
    blocks = [facts]
    if isinstance(step.action, Answer):
        blocks.append(
            [(sanitise(step.action.ask or "An answer is asked for."), ""), (f"  ({step.action.type})", "$muted")]
        )
    if preview.unresolved:
        names = [
            line for name in preview.unresolved for line in (("\n▲ ", "$caution"), (sanitise_line(name), "$caution"))
        ]
        blocks.append([("Values are missing (v sets them):", "$caution"), *names])
    if not preview.verdict.allowed and not person and session.run.state_of(item) is not ItemState.RUNNING:
        blocks.append(hang(("cannot run  ", "bold $caution"), sanitise(preview.verdict.reason), "$caution", width))
    if preview.text.strip() and not person:
        blocks.append(command_text(preview.text))
        if preview.notes:
            blocks.append([(" · ".join(sanitise_line(note) for note in preview.notes), "$muted")])
    if len(item.steps) > 1:
        blocks.append(_ways(session, item, preview, width))
    if preview.danger is not Danger.READ and preview.undo and not person:
        blocks.append(hang(("undo  ", "$muted"), sanitise(preview.undo), "", width))
    return blocks


def deed_lines(session: Session, attempt: Attempt) -> Texts:
    """What a rollback, a putting back or a purge has done so far, and whether it can still be cancelled."""
    deed = session.run.rollback.last
    if deed is None or attempt.job not in DEEDS or deed.began < attempt.started:
        return []
    marks = {"done": ("✔ ", "$good"), "failed": ("✘ ", "bold $danger"), "unknown": ("? ", "bold $danger")}
    texts: Texts = []
    for step, course in deed.steps.items():
        mark, style = marks.get(course, ("◐ ", "$status-running") if course == "began" else ("↶ ", "$caution"))
        texts += [("\n  ", ""), (mark, style), (sanitise_line(deed.titles.get(step, step), 200), "")]
    if not deed.open:
        took = f", {format.took(deed.outage)} of outage" if deed.outage is not None else ""
        return [*texts, ("\n  ", ""), (f"{deed.verdict}{took}", "bold"), (f"  {sanitise_line(deed.why, 300)}", "")]
    behind = cancel_refusal(session.run)
    if behind:
        return [*texts, ("\n  ", ""), (f"no cancelling any more: {behind}", "$caution")]
    return [*texts, ("\n  c cancels it; what was begun is taken back", "$muted")]


def _times(session: Session, item: Item) -> Texts:
    """The estimate and where it is known from, and plan, forecast and claim where there are any."""
    clock = session.clock.current()
    times = clock.items.get(item.id)
    texts: Texts = []
    estimate = times.estimate if times is not None else None
    if estimate is not None:
        source = f" ({sanitise_line(estimate.source)})" if estimate.source else ""
        texts += [(" · estimate ", "$muted"), (format.estimate(max(1.0, estimate.seconds)) + source, "")]
    elif item.estimate:
        texts += [(" · estimate ", "$muted"), (format.estimate(item.estimate), "")]
    if times is not None and times.planned_start is not None and clock.t0 is not None:
        texts += [("\nplanned ", "$muted"), (hour(times.planned_start, clock.now), "")]
        if times.start is not None and not times.over:
            texts += [(" · began " if times.begun else " · forecast ", "$muted"), (hour(times.start, clock.now), "")]
        if times.late >= 60:
            texts += [(" · ", "$muted"), (f"late {format.estimate(times.late // 60 * 60)}", "$caution")]
    claim = session.run.claims.held.get(item.id)
    if claim is not None:
        texts += [("\nclaimed by ", "$muted"), (sanitise_line(claim.actor), "bold")]
    return texts


def _ways(session: Session, item: Item, now: Preview, width: int) -> Texts:
    """The ways of doing it, the one that stands marked, with what is in the way of the others."""
    texts: Texts = [(f"{len(item.steps)} ways, r offers them", "$muted")]
    for number, way in enumerate(item.steps):
        stands = number == now.alternative
        other = now if stands else session.preview(item.id, number)
        row: Texts = [(f"{'▸' if stands else ' '} {number + 1} ", "$accent" if stands else "$muted")]
        row.append((sanitise_line(way.title) or f"way {number + 1}", "bold" if stands else ""))
        why = "" if other.verdict.allowed or other.verdict.reason == now.verdict.reason else other.verdict.reason
        why = why or ("" if stands else " · ".join(other.notes))
        row += [(f"  {first_line(other.text)}", "$muted"), (f"  {sanitise_line(why)}" if why else "", "$caution")]
        texts += [("\n", ""), *cut(row, width)]
    return texts


def first_line(text: str) -> str:
    """The first line of a command that says what it does, with how many follow.

    >>> first_line("set -e\\nnpx prisma migrate deploy\\nnpx prisma generate")
    'npx prisma migrate deploy … 1 more'
    """
    lines = [line.strip() for line in text.strip().split("\n") if line.strip()]
    said = [line for line in lines if not line.startswith(("set -", "#", "--"))] or lines or [""]
    return sanitise_line(said[0]) + (f" … {len(said) - 1} more" if len(said) > 1 else "")


def command_text(text: str, limit: int = 4000) -> Texts:
    """A command or query, line by line behind a gutter, so that it cannot be mistaken for our own words."""
    lines = sanitise(text.strip("\n"), limit).split("\n")
    texts: Texts = []
    for number, line in enumerate(lines):
        texts += [("\n" if number else "", ""), ("│ ", "$accent"), (line, "")]
    return texts


def _needs(session: Session, item: Item, width: int) -> Texts:
    texts: Texts = []
    for need in item.needs:
        why = unmet(session.run, session.checklist, need, session.clock.now())
        mark = ("✘ ", "$danger") if why else ("✔ ", "$good")
        words = sanitise_line(why or f"needs “{_title(session, need)}”: met")
        texts += [("\n", ""), *hang(mark, words, "", width)]
    return texts


def _title(session: Session, need: str) -> str:
    try:
        return session.located(need).item.title
    except MigconsoleError:
        return need


def attempt_text(attempt: Attempt, most: int) -> Texts:
    """One attempt and what it left."""
    texts: Texts = [(f"Attempt {attempt.number}", "bold"), (f"  by {sanitise_line(attempt.actor)}", "")]
    texts.append((f"  {format.clock_time(attempt.started)} UTC", "$muted"))
    if attempt.running:
        return [*texts, ("  running", "$status-running"), *_signals(attempt)]
    style = {"passed": "$status-verified", "failed": "$status-failed", "interrupted": "$status-interrupted"}
    texts.append((f"  {OUTCOMES.get(attempt.outcome, attempt.outcome)}", style.get(attempt.outcome, "")))
    if attempt.exit_code is not None:
        texts.append((f"  exit {attempt.exit_code}", ""))
    if attempt.signal is not None:
        texts.append((f"  signal {attempt.signal}", ""))
    if attempt.duration is not None:
        texts.append((f"  in {format.took(attempt.duration)}", ""))
    texts += _signals(attempt)
    for reason in attempt.reasons:
        texts += [("\n  ", ""), (sanitise_line(reason, 500), "")]
    for line in attempt.lines[:most]:
        texts += [("\n│ ", "$line"), (sanitise_line(line, 500), "")]
    if len(attempt.lines) > most:
        texts.append((f"\n  … {len(attempt.lines) - most} more lines: e shows all", "$muted"))
    if attempt.examined:
        texts.append(("\n  what it has left behind:", "bold $caution"))
    for line in attempt.examined:
        texts += [("\n│ ", "$caution"), (sanitise_line(line, 500), "")]
    for name, value in attempt.captured.items():
        texts += [(f"\n  {sanitise_line(name)} = ", "$muted"), (sanitise_line(value), "")]
    return texts


def sensed_text(item: Item, sense: Sense | None) -> Texts:
    """How the watcher looks at a line by itself, and what it saw last."""
    every = f"every {format.estimate(item.watch)}" if item.watch is not None else ""
    looks = ", ".join(f"T+{format.estimate(offset)}" for offset in item.schedule)
    texts: Texts = [("Watched ", "bold"), (" and at ".join(filter(None, (every, looks))), "")]
    if sense is None:
        return [*texts, ("  not looked at yet", "$muted")]
    words = {Sensed.PASSED: ("holds", "$status-verified"), Sensed.FAILED: ("does not hold", "$status-regressed")}
    word, style = words.get(sense.verdict, ("cannot be seen", "$muted"))
    texts += [(f"  {word}", style), (f"  since {format.clock_time(sense.since)} UTC", "$muted")]
    for reason in sense.reasons:
        texts += [("\n  ", ""), (sanitise_line(reason, 500), "")]
    for line in sense.lines[:_FEW]:
        texts += [("\n│ ", "$line"), (sanitise_line(line, 500), "")]
    return texts


def _signals(attempt: Attempt) -> Texts:
    return [(f"\n  stopped with {', '.join(attempt.signals)}", "$caution")] if attempt.signals else []


def _note(at: str, actor: str, text: str) -> Iterator[tuple[str, str]]:
    yield (f"✎ {format.clock_time(at)} {sanitise_line(actor)}  ", "$muted")
    yield (sanitise_line(text, 2000) + "\n", "")
