"""From the YAML tree to a valid model, whatever is wrong on the way: every problem is noted, then removed."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from migconsole.adapters.checklists.models import CONTAINERS, ChecklistModel
from migconsole.adapters.checklists.problems import Problem, nearest, suggest
from migconsole.adapters.checklists.reader import Map, Seq, path_text, place_of

_ROUNDS = 8
_SHAPES = {
    "model_type": "expected keys with values",
    "model_attributes_type": "expected keys with values",
    "dict_type": "expected keys with values",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "string_too_short": "is empty",
}


def validate(tree: Map, file: str) -> tuple[ChecklistModel | None, list[Problem]]:
    """The model of what is sound in the tree, and a problem for everything else.

    A wrong entry is reported and dropped, a missing one reported and filled in, until the rest is valid: so the rules
    that need the whole file can speak in the same breath. Changes ``tree``.
    """
    problems: list[Problem] = []
    for _ in range(_ROUNDS):
        try:
            return ChecklistModel.model_validate(tree), problems
        except ValidationError as error:
            details = error.errors(include_url=False)
        misspelt = {_corrected(detail) for detail in details if detail["type"] == "extra_forbidden"}
        for detail in details:
            if detail["type"] != "missing" or detail["loc"] not in misspelt:
                problems.append(_problem(tree, detail, file))
        for detail in details:
            _mend(tree, detail)
    return None, problems


def _corrected(detail: Any) -> tuple[Any, ...]:
    """Where an unknown key would stand with its nearest spelling: that key is then not missing as well."""
    *parents, last = detail["loc"]
    near = nearest(str(last), _fields(parents))
    return (*parents, near)


def _problem(tree: Map, detail: Any, file: str) -> Problem:
    path = list(detail["loc"])
    kind = detail["type"]
    if kind == "extra_forbidden":
        place = place_of(tree, path, key=True)
        message = f"unknown key “{path[-1]}”{suggest(str(path[-1]), _fields(path[:-1]))}"
    elif kind == "missing":
        place = place_of(tree, path[:-1])
        message = f"“{path[-1]}” is missing"
    else:
        place = place_of(tree, path)
        message = _message(detail)
    return Problem(file, place[0] + 1, place[1] + 1, path_text(path), message)


def _message(detail: Any) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        words = [word.strip("' ") for word in context["expected"].replace(" or ", ",").split(",")]
        shown = value if isinstance(value, str) else "this"
        return f"“{shown}” is none of {', '.join(words)}{suggest(str(value), words)}"
    if kind == "string_type":
        return "is empty" if value is None else "expected text"
    if kind == "string_too_long":
        return f"longer than {context['max_length']} characters"
    if kind == "string_pattern_mismatch" and "\n" in str(value):
        return "expected one line"
    if kind == "string_pattern_mismatch":
        return f"“{str(value)[:40]}” is no id: small letters, digits, dots, dashes and underscores, at most 100"
    return _SHAPES.get(kind, str(detail["msg"]))


def _fields(path: list[Any]) -> dict[str, FieldInfo]:
    """The keys that may stand where ``path`` leads."""
    names = [part for part in path if isinstance(part, str)]
    if names[-2:-1] == ["variables"]:
        names.pop()
    model = CONTAINERS.get(names[-1] if names else "")
    return dict(model.model_fields) if model else {}


def _mend(tree: Map, detail: Any) -> None:
    *parents, last = detail["loc"]
    node: Any = tree
    for part in parents:
        if (isinstance(node, dict) and part in node) or (isinstance(node, list) and part < len(node)):
            node = node[part]
        else:
            return
    described = _fields(parents).get(last) if isinstance(last, str) else None
    # Two stand-ins must not look like one entry that is there twice.
    title = f"? {path_text(list(detail['loc']))}"
    if described is not None and described.is_required() and isinstance(node, dict):
        node[last] = _seq(_stand_in([last], title)) if last in _LISTS else _WORDS.get(last, title)
    elif isinstance(node, Seq) and isinstance(last, int) and last < len(node):
        node[last] = _stand_in(parents, title)
    elif isinstance(node, dict):
        node.pop(last, None)


_LISTS = ("phases", "sections", "items")
_WORDS: dict[Any, Any] = {"at": "T-0", "on": "failed"}
_STAND_INS: dict[str, dict[str, Any]] = {
    "phases": {"phase": None, "at": "T-0", "sections": None},
    "sections": {"section": None, "items": None},
    "rollback": {"section": None, "items": None},
    "items": {"item": None},
    "alternatives": {"title": None},
    "tripwires": {"tripwire": None},
    "gates": {"gate": None, "before": None},
    "notifications": {"on": "failed", "to": None},
}


def _stand_in(parents: list[Any], title: str) -> Any:
    """A sound entry for a list whose entry was broken, so that the entries beside it keep their numbers."""
    key = next((part for part in reversed(parents) if isinstance(part, str)), "")
    entry = Map((0, 0))
    for name, value in _STAND_INS.get(key, {}).items():
        entry[name] = _seq(_stand_in([name], title)) if name in _LISTS else value or title
    return entry


def _seq(entry: Any) -> Seq:
    sequence = Seq((0, 0))
    sequence.append(entry)
    return sequence
