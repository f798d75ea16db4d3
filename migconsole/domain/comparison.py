"""The right-hand side of a condition: a comparison, a set or a literal, against one observed value.

Nothing is evaluated as code: a text is cut into an operator and literals once, at load time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from migconsole.domain.patterns import PatternError, compile_pattern, first_lines
from migconsole.domain.quantities import QuantityError, Relative, parse_duration, parse_relative, parse_size

LONGEST_TEXT = 2_000

_OPERATOR = re.compile(r"(<=|>=|!=|<>|==|=|<|>|!~|~)\s*(.*)", re.DOTALL)
_SET = re.compile(r"(not\s+in|in)\b\s*(.*)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?")
_QUOTED = re.compile(r"'((?:[^']|'')*)'|\"([^\"]*)\"")
_ENTRY = re.compile(r"\s*('(?:[^']|'')*'|\"[^\"]*\"|[^,'\"]*)\s*(,|\Z)")
_FLIPPED = {"==": "=", "<>": "!="}


class ComparisonError(ValueError):
    """A comparison that cannot be parsed; the message says what can."""


class UnknownValueError(Exception):
    """A comparison with another observed value that is not known; the message names it."""


@dataclass(frozen=True, slots=True)
class Literal:
    """One expected value: a number (in base units), a boolean, null, a multiple of another value, or text."""

    value: Decimal | bool | Relative | str | None
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """``operator`` is one of = != < <= > >= ~ !~ in, not in, and set (a list that must be seen whole)."""

    operator: str
    literals: tuple[Literal, ...]
    text: str

    def holds(self, observed: Any, known: Mapping[str, Any] | None = None) -> bool:
        """Whether ``observed`` satisfies it. ``known`` are the values a multiple (``2x database``) refers to.

        Raises UnknownValueError when such a value is missing. A value of another kind is never a match, also not
        for ``!=``: text is not "different from 5", it cannot be compared with it.
        """
        if self.operator == "set":
            return isinstance(observed, list | tuple | set | frozenset) and sorted(map(str, observed)) == sorted(
                literal.text for literal in self.literals
            )
        if self.operator in ("in", "not in"):
            found = any(_compare("=", observed, literal, known) for literal in self.literals)
            return found == (self.operator == "in")
        return _compare(self.operator, observed, self.literals[0], known)


@lru_cache(maxsize=4096)
def parse_comparison(text: str) -> Comparison:
    """Parse ``>= 1``, ``2x database``, ``in (a, b)``, ``~ ^prod``, ``[]``, ``42``, ``'it''s'`` or plain words.

    >>> parse_comparison(">= 10GB").holds(20 * 1024**3), parse_comparison("in (t, f)").holds("t")
    (True, True)
    """
    stripped = text.strip()
    if len(stripped) > LONGEST_TEXT:
        raise ComparisonError(f"a comparison of more than {LONGEST_TEXT} characters")
    if stripped.startswith("["):
        return Comparison("set", _entries(stripped, "[", "]"), stripped)
    match = _SET.fullmatch(stripped)
    if match and match[2][:1] in ("(", "["):
        literals = _entries(match[2], match[2][0], ")" if match[2][0] == "(" else "]")
        if not literals:
            raise ComparisonError(f"“{stripped}” names no value; write in (a, b)")
        return Comparison(" ".join(match[1].split()), literals, stripped)
    match = _OPERATOR.fullmatch(stripped)
    if match is None:
        if not stripped:
            raise ComparisonError("nothing to compare with; write a value or a comparison such as >= 1")
        return Comparison("=", (_literal(stripped),), stripped)
    operator, rest = _FLIPPED.get(match[1], match[1]), match[2].strip()
    if not rest:
        raise ComparisonError(f"“{stripped}” has nothing after the operator; write {operator} VALUE")
    if operator in ("~", "!~"):
        try:
            compile_pattern(rest)
        except PatternError as error:
            raise ComparisonError(str(error)) from None
        return Comparison(operator, (Literal(rest, rest),), stripped)
    if rest[0] in "<>=!~":
        raise ComparisonError(f"“{stripped}” has two operators; use one of = != < <= > >= ~ !~")
    literal = _literal(rest)
    if operator in ("<", "<=", ">", ">=") and not isinstance(literal.value, Decimal | Relative):
        raise ComparisonError(f"“{stripped}” compares with something that is no number, size or duration")
    return Comparison(operator, (literal,), stripped)


def _entries(text: str, opening: str, closing: str) -> tuple[Literal, ...]:
    inner = text[1:-1].strip() if text.endswith(closing) and len(text) > 1 else None
    if inner is None:
        raise ComparisonError(f"“{text}” has no closing {closing} for its {opening}")
    if not inner:
        return ()
    entries, position = [], 0
    while position <= len(inner):
        match = _ENTRY.match(inner, position)
        if match is None or not match[1].strip():
            raise ComparisonError(f"“{text}” is not a list of values; write {opening}a, b{closing}")
        entries.append(_literal(match[1].strip()))
        if not match[2]:
            break
        position = match.end()
    return tuple(entries)


def _literal(text: str) -> Literal:
    quoted = _QUOTED.fullmatch(text)
    if quoted:
        plain = quoted[1].replace("''", "'") if quoted[1] is not None else quoted[2]
        return Literal(plain, plain)
    words: dict[str, bool | None] = {"true": True, "false": False, "null": None}
    if text.lower() in words:
        return Literal(words[text.lower()], text)
    relative = parse_relative(text)
    if relative:
        return Literal(relative, text)
    number = as_number(text)
    if number is not None:
        return Literal(number, text)
    for parse in (parse_size, parse_duration):
        try:
            return Literal(Decimal(str(parse(text))), text)
        except QuantityError:
            continue
    return Literal(text, text)


def as_number(value: Any) -> Decimal | None:
    """A value as an exact number, or None. Truth values are not numbers; an interval counts in seconds.

    >>> as_number("4.50"), as_number(True), as_number("many")
    (Decimal('4.50'), None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, timedelta):
        return Decimal(str(value.total_seconds()))
    if isinstance(value, str):
        return Decimal(value.strip()) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, int | float | Decimal):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            return None
        return number if number.is_finite() else None
    return None


_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_TRUTH = {"t": True, "true": True, "f": False, "false": False}


def _compare(operator: str, observed: Any, literal: Literal, known: Mapping[str, Any] | None) -> bool:
    expected = literal.value
    if operator in ("~", "!~"):
        return bool(compile_pattern(literal.text).search(first_lines(as_text(observed)))) == (operator == "~")
    if expected is None:
        return (observed is None) == (operator == "=")
    if observed is None:
        return False
    if isinstance(expected, bool):
        truth = observed if isinstance(observed, bool) else _TRUTH.get(str(observed).lower())
        return truth is not None and _ORDERS[operator](truth, expected)
    if isinstance(expected, Relative):
        expected = _relative(expected, known)
    if isinstance(expected, Decimal):
        number = as_number(observed)
        return number is not None and _ORDERS[operator](number, expected)
    return _ORDERS[operator](as_text(observed), expected)


def _relative(relative: Relative, known: Mapping[str, Any] | None) -> Decimal:
    base = as_number((known or {}).get(relative.of))
    if base is None:
        raise UnknownValueError(relative.of)
    return Decimal(str(relative.factor)) * base


def as_text(value: Any) -> str:
    """A value as a person writes it in a checklist: true, false, null, 42, or its text.

    >>> as_text(True), as_text(None), as_text(["b", "a"])
    ('true', 'null', '[b, a]')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_text, value))}]"
    return str(value)
