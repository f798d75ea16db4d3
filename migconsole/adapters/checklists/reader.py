"""YAML text to plain Python with the place of every key and value.

Built on the parser's event stream rather than on its object constructor: nothing can be instantiated, nothing recurses,
an alias cannot multiply a document, and positions cost next to nothing (a 5,000-item file is read in 0.2 s).
Scalars stay text, so that ``no``, ``1_0`` and ``12:30`` mean what they say; ``core`` gives the typed form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from migconsole.adapters.checklists.problems import ChecklistError, Problem
from migconsole.errors import UsageError

LARGEST_FILE = 8 * 1024 * 1024
"""Bytes; a checklist of 5,000 items is about one megabyte."""

DEEPEST = 40
"""Nesting of mappings and lists; the format itself needs about ten."""

Place = tuple[int, int]
"""Line and column, both from 0."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?")


class Plain(str):
    """A scalar written without quotes: in free arguments it may stand for a number or a truth value."""

    __slots__ = ()


class Map(dict[str, Any]):
    """A mapping that knows where it and its keys and values stand."""

    __slots__ = ("keys_at", "place", "values_at")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.keys_at: dict[str, Place] = {}
        self.values_at: dict[str, Place] = {}


class Seq(list[Any]):
    """A list that knows where it and its entries stand."""

    __slots__ = ("at", "place")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.at: list[Place] = []


def read_bytes(path: Path) -> bytes:
    """A checklist file's bytes; raises UsageError for whatever is no readable file of a sensible size."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder", "", "Name the checklist file in it.")
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}", "", "`migconsole` alone lists the checklists at hand.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read", str(error.strerror or error), "Check its permissions.") from None
    if len(data) > LARGEST_FILE:
        limit = LARGEST_FILE // 1024**2
        raise UsageError(f"{path} is larger than {limit} MB", "", "A checklist of 5,000 items needs about 1 MB.")
    return data


def read_tree(data: bytes, file: str) -> tuple[Map, list[Problem]]:
    """The document's mapping and what was wrong with it as YAML; raises ChecklistError when there is none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start)
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1)
        message = f"not UTF-8 text (byte 0x{data[error.start]:02x})"
        raise ChecklistError(file, [Problem(file, line + 1, column + 1, "", message)]) from None
    builder = _Builder(file)
    try:
        builder.build(yaml.parse(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise ChecklistError(file, [*builder.problems, _syntax_problem(error, text, file)]) from None
    if not isinstance(builder.root, Map):
        message = (
            "the file is empty" if builder.root is None else "expected keys with values, beginning with checklist:"
        )
        raise ChecklistError(file, [*builder.problems, Problem(file, 1, 1, "", message)])
    return builder.root, builder.problems


class _Builder:
    """Turns events into Maps and Seqs, and notes what the format does not allow."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self.root: Any = None
        self._file = file
        self._documents = 0
        self._open: list[Map | Seq] = []
        self._keys: list[str | None] = []

    def build(self, events: Iterator[Any]) -> None:
        """Consume the events of one document."""
        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._check(event)
                value: Any = event.value
                if event.style is None or event.style == "":
                    value = None if value in _NULL else Plain(value)
                self._add(value, event, event.value)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._check(event)
                place = (event.start_mark.line, event.start_mark.column)
                container: Map | Seq = Map(place) if kind is yaml.MappingStartEvent else Seq(place)
                self._add(container, event, None)
                self._open.append(container)
                self._keys.append(None)
                if len(self._open) > DEEPEST:
                    self._problem(event, f"nested more than {DEEPEST} levels deep")
                    raise ChecklistError(self._file, self.problems)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._open.pop()
                self._keys.pop()
            elif kind is yaml.AliasEvent:
                self._problem(event, f"the alias *{event.anchor} is not supported: write the value out")
                self._add(None, event, "")
            elif kind is yaml.DocumentStartEvent:
                self._documents += 1
                if self._documents > 1:
                    self._problem(event, "a second document begins here: one file holds one checklist")
                    raise ChecklistError(self._file, self.problems)

    def _add(self, value: Any, event: Any, key: str | None) -> None:
        place = (event.start_mark.line, event.start_mark.column)
        if not self._open:
            self.root = value
            return
        parent = self._open[-1]
        if isinstance(parent, Seq):
            parent.append(value)
            parent.at.append(place)
            return
        pending = self._keys[-1]
        if pending is not None:
            parent[pending] = value
            parent.values_at[pending] = place
            self._keys[-1] = None
            return
        if key is None:
            self._problem(event, "a key must be plain text")
            key = f"\0{place}"
        if key in parent.keys_at:
            first = parent.keys_at[key][0] + 1
            self._problem(event, f"the key “{key}” stands here a second time (first in line {first})")
        parent.keys_at[key] = place
        self._keys[-1] = key

    def _check(self, event: Any) -> None:
        if event.anchor is not None:
            self._problem(event, f"the anchor &{event.anchor} is not supported: write the value out where it is needed")
        if event.tag is not None and event.implicit not in (True, (True, False), (False, True)):
            self._problem(event, f"the tag {event.tag} is not supported: write plain text, lists and keys")

    def _problem(self, event: Any, message: str) -> None:
        path = path_text([key if key is not None else len(c) for key, c in zip(self._keys, self._open, strict=True)])
        mark = event.start_mark
        self.problems.append(Problem(self._file, mark.line + 1, mark.column + 1, path, message))


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        at = error.position if isinstance(error.position, int) else 0
        line = text.count("\n", 0, at)
        column = at - (text.rfind("\n", 0, at) + 1)
        character = ord(error.character) if isinstance(error.character, str) else error.character
        return Problem(file, line + 1, column + 1, "", f"a character that YAML does not allow: U+{character:04X}")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.split("\n")
    shown = lines[line] if line < len(lines) else ""
    if "\t" in shown[: len(shown) - len(shown.lstrip())]:
        return Problem(
            file, line + 1, shown.index("\t") + 1, "", "a tab in the indentation: YAML is indented with spaces"
        )
    message = str(getattr(error, "problem", None) or error)
    context = getattr(error, "context", None)
    return Problem(file, line + 1, column + 1, "", f"broken YAML: {message}{f' ({context})' if context else ''}")


def core(value: Any) -> Any:
    """The typed form of free arguments: numbers and truth values where they stand without quotes.

    >>> core(Plain("5")), core("5"), core(Plain("true")), core(Plain("no"))
    (5, '5', True, 'no')
    """
    if isinstance(value, Plain):
        if value in ("true", "false"):
            return value == "true"
        if _INTEGER.fullmatch(value) and len(value) < 20:
            return int(value)
        return float(value) if _FLOAT.fullmatch(value) and len(value) < 40 else str(value)
    if isinstance(value, dict):
        return {str(key): core(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [core(inner) for inner in value]
    return value


def path_text(parts: list[Any]) -> str:
    """``phases[0].sections[1].mode`` for a list of keys and numbers.

    >>> path_text(["phases", 0, "title"])
    'phases[0].title'
    """
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def place_of(root: Any, path: list[Any], *, key: bool = False) -> Place:
    """Where a path stands: its value, or with ``key`` its last key; the nearest known place when part is missing."""
    place: Place = getattr(root, "place", (0, 0))
    node = root
    for index, part in enumerate(path):
        last = index == len(path) - 1
        if isinstance(node, Map) and part in node.keys_at:
            place = node.keys_at[part] if last and key else node.values_at.get(part, node.keys_at[part])
            node = node.get(part)
        elif isinstance(node, Seq) and isinstance(part, int) and part < len(node.at):
            place = node.at[part]
            node = node[part]
        else:
            break
    return place
