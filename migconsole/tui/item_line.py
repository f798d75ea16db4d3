"""An item in one line, for screens that have no room to show what it is beside the checklist."""

from __future__ import annotations

from migconsole.domain.checklist import Answer, Danger, Item, Manual
from migconsole.domain.items import ItemState
from migconsole.domain.text import sanitise_line
from migconsole.engine.palette import status_slot
from migconsole.engine.session import Session
from migconsole.errors import MigconsoleError
from migconsole.tui import format
from migconsole.tui.item_text import DANGER_STYLE, Texts, first_line
from migconsole.tui.rows import kind_word


def item_line(session: Session, item: Item, alternative: int) -> Texts:
    """What came of it, or what would be done and why it cannot be; the longest thing comes last, to be cut."""
    if item.items:
        return []
    record, state = session.run.record(item.id), session.run.state_of(item)
    if record.awaiting:
        said = record.last.reasons if record.last is not None else ()
        return [("answer? ", "bold $status-running"), (sanitise_line("; ".join(said)) or "say what you saw", "")]
    if state is ItemState.TODO:
        return _ahead(session, item, alternative)
    texts: Texts = [(f"{state.glyph} {state.value} ", f"bold ${status_slot(state)}")]
    if state is ItemState.RUNNING:
        return [*texts, (first_line(record.last.text) if record.last is not None else "", "")]
    if record.actor:
        texts.append((f"by {sanitise_line(record.actor, 24)} {format.clock_time(record.since)}  ", "$muted"))
    said = record.last.reasons if record.last is not None and not record.reason else ()
    why = "; ".join(part for part in (record.value, record.note, record.reason, *said) if part)
    return [*texts, (sanitise_line(why), "")]


def _ahead(session: Session, item: Item, alternative: int) -> Texts:
    try:
        preview = session.preview(item.id, alternative)
    except MigconsoleError as error:
        return [("▲ ", "$caution"), (sanitise_line(str(error)), "$caution")]
    action = item.steps[preview.alternative].step.action
    if isinstance(action, Answer):
        return [("answer ", "bold"), (sanitise_line(action.ask or "An answer is asked for."), "")]
    if isinstance(action, Manual) or not preview.text.strip():
        return [("by hand: ", "bold"), (sanitise_line(item.help) or "space says that it is done", "$muted")]
    if not preview.verdict.allowed:
        return [("not now: ", "$caution"), (sanitise_line(preview.verdict.reason), "$caution")]
    word = kind_word(item)
    texts: Texts = [(f"{word} ", "bold")]
    if preview.danger is not Danger.READ:
        texts.append((f"{preview.danger.value} ", DANGER_STYLE[preview.danger]))
    # A check's or job's own text begins with what it is.
    return [*texts, (first_line(preview.text).removeprefix(word).lstrip(), "$muted")]
