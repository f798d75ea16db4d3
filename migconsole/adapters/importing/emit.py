"""The parts of a checklist as YAML text, with what was not decided as comments beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from migconsole.adapters.importing.model import Action, Imported, Item, Phase, Remark, Section, Tripwire

WIDTH = 118
_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9 _/.,()'’“”+-]*[A-Za-z0-9.)])?")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


def emit(imported: Imported, source: str) -> str:
    """The file's text; it ends with a line break. ``source`` names the Markdown it came from."""
    return "\n".join(_lines(imported, source)) + "\n"


def _lines(imported: Imported, source: str) -> Iterator[str]:
    yield from _comment(
        [f"Imported from {source}. What could not be decided is marked “undecided”, with the line it came from."]
    )
    yield from _comment(imported.comments)
    yield from _remarks(remark for remark in imported.remarks if remark.undecided)
    yield f"checklist: {scalar(imported.title)}"
    yield "format: 1"
    if imported.postgresql:
        yield f"requires: {{postgresql: {scalar(imported.postgresql)}}}"
    yield 'target: {url: "${DATABASE_URL}", environment: production}'
    yield "env_file: .env"
    if imported.roles:
        yield f"roles: [{', '.join(scalar(role, flow=True) for role in imported.roles)}]"
    if imported.variables:
        yield ""
        yield "variables:"
        for name in imported.variables:
            yield f'  {name}: {{default: "", ask: true, help: "undecided: what is it, and where does it come from?"}}'
    yield ""
    yield "phases:"
    for phase in imported.phases:
        yield from _phase(phase)
    if imported.tripwires:
        yield ""
        yield "tripwires:"
        for wire in imported.tripwires:
            yield from _tripwire(wire)
    if imported.rollback:
        yield ""
        yield "rollback:"
        for section in imported.rollback:
            yield from _section(section, "  ")


def _phase(phase: Phase) -> Iterator[str]:
    yield from _comment(phase.comments, "  ")
    yield from _remarks(phase.remarks, "  ")
    yield f"  - phase: {scalar(phase.title)}"
    yield f"    at: {phase.at}"
    yield "    sections:"
    for section in phase.sections:
        yield from _section(section, "      ")


def _tripwire(wire: Tripwire) -> Iterator[str]:
    yield from _comment(wire.comments, "  ")
    yield f"  - tripwire: {scalar(wire.title)}"
    yield f"    id: {wire.id}"


def _section(section: Section, indent: str) -> Iterator[str]:
    yield from _comment(section.comments, indent)
    yield f"{indent}- section: {scalar(section.title)}"
    if section.ordered:
        yield f"{indent}  mode: read-do"
    yield f"{indent}  items:"
    for item in section.items:
        yield from _item(item, f"{indent}    ")


def _item(item: Item, indent: str) -> Iterator[str]:
    yield from _remarks(item.remarks, indent)
    yield f"{indent}- item: {scalar(item.title)}"
    inner = f"{indent}  "
    yield f"{inner}id: {item.id}"
    if item.optional:
        yield f"{inner}optional: true"
    if item.help:
        yield from _text("help", ["\n".join(item.help)], inner)
    if len(item.actions) == 1:
        yield from _action(item.actions[0], inner)
    elif item.actions:
        yield f"{inner}alternatives:"
        for action in item.actions:
            yield f"{inner}  - title: {scalar(action.title)}"
            yield from _action(action, f"{inner}    ")
    if item.items:
        yield f"{inner}items:"
        for nested in item.items:
            yield from _item(nested, f"{inner}  ")


def _action(action: Action, indent: str) -> Iterator[str]:
    if action.kind == "run":
        yield from _text("run", ["\n\n".join(action.texts)], indent)
    else:
        yield from _text(action.kind, action.texts, indent)


def _text(key: str, texts: Sequence[str], indent: str) -> Iterator[str]:
    """A text, or a list of them: in one line where it fits, else as a block."""
    if len(texts) > 1:
        yield f"{indent}{key}:"
        for text in texts:
            yield from _value(f"{indent}  - ", f"{indent}    ", text)
    else:
        yield from _value(f"{indent}{key}: ", f"{indent}  ", texts[0])


def _value(lead: str, indent: str, text: str) -> Iterator[str]:
    text = text.strip("\n")
    lines = text.split("\n")
    blockable = len(lines) > 1 and lines[0].strip() and not lines[0].startswith((" ", "\t"))
    if blockable and all(c.isprintable() or c == "\t" for line in lines for c in line):
        yield f"{lead}|"
        yield from (f"{indent}{line}".rstrip() if not line.strip() else f"{indent}{line}" for line in lines)
    else:
        yield f"{lead}{scalar(text)}"


def scalar(text: str, *, flow: bool = False) -> str:
    """A text as YAML: plain where that cannot be mistaken for anything else, else in double quotes.

    >>> scalar("Run full test suite"), scalar("yes"), scalar("a: b"), scalar("line\\nbreak")
    ('Run full test suite', '"yes"', '"a: b"', '"line\\\\nbreak"')
    """
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not (flow and "," in text):
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _remarks(remarks: Iterable[Remark], indent: str = "") -> Iterator[str]:
    yield from _comment([str(remark) for remark in remarks if remark.undecided], indent)


def _comment(lines: Iterable[str], indent: str = "") -> Iterator[str]:
    for line in lines:
        safe = "".join(c if c.isprintable() else " " for c in line).rstrip()
        for start in range(0, max(1, len(safe)), WIDTH):
            yield f"{indent}# {safe[start : start + WIDTH]}".rstrip()
