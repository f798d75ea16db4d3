"""What an attempt must show to be verified: a small declared grammar, parsed at load time, never evaluated as code.

========================  ==========================================================================================
exit                      the exit code of a command: ``0``, ``[0, 2]``, ``"< 3"``; 0 is implied where others stand
output, not_output        a pattern (or a list) that some line of the output must, or must not, match
rows                      how many rows a query returned: ``1``, ``">= 1"``
value                     the only column of the only row
column.NAME               that column, in every row
each                      every cell of every row
matches                   every row has a cell in which the pattern is found
any other name            a named value of a check or job: ``free: ">= 2x database"``, ``missing: []``
========================  ==========================================================================================

``KEY[n]`` applies a query's condition to the n-th statement only; without it every statement must satisfy it.
Zero rows are never a pass, except for ``rows`` itself. A value nobody could read is neither a pass nor a failure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migconsole.domain.comparison import (
    Comparison,
    ComparisonError,
    UnknownValueError,
    as_text,
    parse_comparison,
)
from migconsole.domain.patterns import PatternError, compile_pattern, first_lines


class ExpectationError(ValueError):
    """An expectation that cannot be parsed; the message says what was expected instead."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of an ``expect`` block: ``key`` as written (exit, output, rows, value, column.n, free …) and its text.

    ``statement`` is the number from 1 of the only statement it applies to, 0 for every one.
    """

    key: str
    text: str
    statement: int = 0

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"

    @property
    def name(self) -> str:
        """The key as it was written, with its statement number."""
        return f"{self.key}[{self.statement}]" if self.statement else self.key


@dataclass(frozen=True, slots=True)
class Expectation:
    """All conditions must hold."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Observation:
    """What an attempt showed.

    ``exit_code`` is set for commands; ``matched`` maps each regular expression asked for to whether the output
    contains it; ``columns``/``rows`` hold a query's result (all statements' rows concatenated is wrong: one
    Observation per statement); ``values`` holds a check's named values, numbers in base units (bytes, seconds).
    """

    exit_code: int | None = None
    matched: Mapping[str, bool] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows: Sequence[Sequence[Any]] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """``passed`` is None when there is nothing to judge by: a person is asked, it never counts as a pass.

    ``reasons`` are the failed conditions, else those that could not be judged, else all that hold.
    """

    passed: bool | None
    reasons: tuple[str, ...] = ()


RUN_KEYS = ("exit", "output", "not_output")
SQL_KEYS = ("rows", "value", "column.NAME", "each", "matches")
_PATTERN_KEYS = ("output", "not_output", "matches")
_KEY = re.compile(r"([a-z][a-z_]*(?:\.[^\[\]]{1,63})?)(?:\[([1-9]\d{0,2})\])?")
_LONGEST_SHOWN = 120


def parse_condition(key: str, value: Any, kind: str) -> tuple[Condition, ...]:
    """One entry of an ``expect`` block as it stands in the file; a list of patterns gives one condition each.

    ``kind`` is the action's kind: "run" and "sql" know their keys, a check or job takes any name. Raises
    ExpectationError.
    """
    match = _KEY.fullmatch(key)
    if match is None or (match[2] and kind != "sql"):
        raise ExpectationError(f"“{key[:60]}” is no condition; write {_allowed(kind)}")
    name, statement = match[1], int(match[2] or 0)
    if not _known(name, kind):
        raise ExpectationError(f"{kind} knows no condition “{name}”; write {_allowed(kind)}")
    if isinstance(value, Mapping) or value is None:
        raise ExpectationError(f"{key} needs a value, for example {key}: {_EXAMPLES.get(name, _EXAMPLES['rows'])}")
    texts = list(value) if name in _PATTERN_KEYS and _is_list(value) else [value]
    if not texts:
        raise ExpectationError(f"{key} names no pattern")
    conditions = tuple(Condition(name, _written(text, name), statement) for text in texts)
    for condition in conditions:
        _check(condition)
    return conditions


def parse(block: Mapping[str, Any], kind: str) -> Expectation:
    """A whole ``expect`` block.

    >>> parse({"rows": ">= 1"}, "sql").conditions
    (Condition(key='rows', text='>= 1', statement=0),)
    """
    return Expectation(tuple(c for key, value in block.items() for c in parse_condition(key, value, kind)))


def patterns(expectation: Expectation | None) -> tuple[str, ...]:
    """The regular expressions that must be looked for in a command's output, each once."""
    conditions = expectation.conditions if expectation else ()
    return tuple(dict.fromkeys(c.text for c in conditions if c.key in ("output", "not_output")))


def evaluate(expectation: Expectation | None, observations: Sequence[Observation]) -> Judgement:
    """Judge what an attempt showed: one observation for a command or a check, one per statement for a query.

    >>> evaluate(parse({"rows": ">= 1"}, "sql"), [Observation(columns=("n",), rows=[])])
    Judgement(passed=False, reasons=('rows: expected >= 1, got 0',))
    """
    if expectation is None or not expectation.conditions:
        return Judgement(None, ("nothing is expected of it, so a person must judge",))
    if not observations:
        return Judgement(None, ("nothing was observed",))
    found: list[tuple[bool | None, str]] = []
    for number, observation in enumerate(observations, start=1):
        prefix = f"statement {number}: " if len(observations) > 1 else ""
        for condition in _applying(expectation, number):
            passed, why = _judge(condition, observation)
            found.append((passed, f"{prefix}{why}"))
    for condition in expectation.conditions:
        if condition.statement > len(observations):
            found.append((False, f"{condition.name}: there are only {len(observations)} statements"))
    if not found:
        return Judgement(None, ("nothing is expected of any statement, so a person must judge",))
    verdicts = {passed for passed, _ in found}
    overall = False if False in verdicts else None if None in verdicts else True
    return Judgement(overall, tuple(why for passed, why in found if passed is overall))


def _applying(expectation: Expectation, number: int) -> list[Condition]:
    conditions = [c for c in expectation.conditions if c.statement in (0, number)]
    keys = {c.key for c in expectation.conditions}
    if keys & {"output", "not_output"} and "exit" not in keys:
        conditions.insert(0, Condition("exit", "0"))
    return conditions


def _judge(condition: Condition, seen: Observation) -> tuple[bool | None, str]:
    key = condition.key
    if key == "exit":
        return _judge_exit(condition, seen)
    if key in ("output", "not_output"):
        return _judge_output(condition, seen)
    if key == "rows" and seen.rows is not None:
        return _result(condition, len(seen.rows), seen.values)
    # A job or check that counts rows has a value of that name, and no result set.
    named = key == "rows" and key in seen.values
    if not named and (key in ("rows", "value", "each", "matches") or key.startswith("column.")):
        return _judge_rows(condition, seen)
    return _judge_named(condition, seen)


def _judge_exit(condition: Condition, seen: Observation) -> tuple[bool | None, str]:
    if seen.exit_code is None:
        return False, f"exit: expected {condition.text}, got no exit code (it was ended from outside)"
    comparison = parse_comparison(condition.text)
    if comparison.operator == "set":
        passed = any(literal.value == seen.exit_code for literal in comparison.literals)
        return passed, _says(condition, passed, str(seen.exit_code))
    return _result(condition, seen.exit_code, seen.values)


def _judge_output(condition: Condition, seen: Observation) -> tuple[bool | None, str]:
    found = seen.matched.get(condition.text)
    wanted = condition.key == "output"
    if found is None:
        return None, f"{condition.name}: the output was not searched for “{condition.text}”"
    if found == wanted:
        return True, f"{condition.name}: “{condition.text}” {'found' if wanted else 'not found'}, as expected"
    if wanted:
        return False, f"output: expected “{condition.text}”, not found in the output"
    return False, f"not_output: expected no “{condition.text}”, found in the output"


def _judge_rows(condition: Condition, seen: Observation) -> tuple[bool | None, str]:
    expected = f"{condition.name}: expected {condition.text}"
    if seen.rows is None:
        return False, f"{expected}, got no result set"
    if not seen.rows:
        return False, f"{expected}, got no rows"
    if condition.key == "matches":
        pattern = compile_pattern(condition.text)
        for number, row in enumerate(seen.rows, start=1):
            if not any(pattern.search(first_lines(as_text(cell))) for cell in row):
                return False, f"{expected}, not found in row {number}: {_shown(row)}"
        return True, f"matches: “{condition.text}” found in {_rows(len(seen.rows))}, as expected"
    if condition.key == "value":
        if len(seen.rows) != 1 or len(seen.rows[0]) != 1:
            return False, f"{expected}, got {_rows(len(seen.rows))} of {len(seen.rows[0])} columns instead of one value"
        return _result(condition, seen.rows[0][0], seen.values)
    picked = range(len(seen.rows[0]))
    if condition.key != "each":
        column = condition.key.removeprefix("column.")
        if column not in seen.columns:
            return False, f"{expected}, but the result has no such column (it has {', '.join(seen.columns)})"
        picked = range(seen.columns.index(column), seen.columns.index(column) + 1)
    return _judge_cells(condition, seen, picked)


def _judge_cells(condition: Condition, seen: Observation, picked: Sequence[int]) -> tuple[bool | None, str]:
    comparison = parse_comparison(condition.text)
    for number, row in enumerate(seen.rows or (), start=1):
        for index in picked:
            if not _holds(comparison, row[index], seen.values):
                where = f" in row {number}" if len(seen.rows or ()) > 1 else ""
                return False, f"{condition.name}: expected {condition.text}, got {_shown(row[index])}{where}"
    count = len(seen.rows or ())
    return True, f"{condition.name}: {condition.text} in {_rows(count)}, as expected"


def _judge_named(condition: Condition, seen: Observation) -> tuple[bool | None, str]:
    if condition.key not in seen.values:
        reported = ", ".join(seen.values) or "nothing"
        return None, f"{condition.key}: expected {condition.text}, but it reports no such value (it reports {reported})"
    observed = seen.values[condition.key]
    if observed is None and parse_comparison(condition.text).literals[:1] != parse_comparison("null").literals:
        return None, f"{condition.key}: expected {condition.text}, but the value is not known"
    return _result(condition, observed, seen.values)


def _result(condition: Condition, observed: Any, values: Mapping[str, Any]) -> tuple[bool | None, str]:
    try:
        passed = parse_comparison(condition.text).holds(observed, values)
    except UnknownValueError as error:
        return None, f"{condition.name}: expected {condition.text}, but “{error}” is not known"
    return passed, _says(condition, passed, _shown(observed))


def _holds(comparison: Comparison, observed: Any, values: Mapping[str, Any]) -> bool:
    try:
        return comparison.holds(observed, values)
    except UnknownValueError:
        return False


def _says(condition: Condition, passed: bool, observed: str) -> str:
    if passed:
        return f"{condition.name}: {observed}, as expected ({condition.text})"
    return f"{condition.name}: expected {condition.text}, got {observed}"


def _shown(observed: Any) -> str:
    text = as_text(list(observed) if isinstance(observed, set | frozenset) else observed)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}… ({len(text)} characters)"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _written(value: Any, name: str) -> str:
    return as_text(value) if name not in _PATTERN_KEYS else value if isinstance(value, str) else as_text(value)


def _known(name: str, kind: str) -> bool:
    if kind == "run":
        return name in RUN_KEYS
    if kind == "sql":
        return name in SQL_KEYS or name.startswith("column.")
    return "." not in name


_EXAMPLES = {"exit": "0", "output": '"OK"', "not_output": '"(?i)error"', "rows": '">= 1"', "value": '"> 0"'}


def _allowed(kind: str) -> str:
    keys = {"run": RUN_KEYS, "sql": SQL_KEYS}.get(kind)
    if keys is None:
        return "the name of a value it reports, such as free"
    return f"{', '.join(keys[:-1])} or {keys[-1]}"


def _check(condition: Condition) -> None:
    try:
        if condition.key in _PATTERN_KEYS:
            compile_pattern(condition.text)
            return
        comparison = parse_comparison(condition.text)
    except (PatternError, ComparisonError) as error:
        raise ExpectationError(f"{condition.name}: {error}") from None
    if condition.key in ("exit", "rows"):
        _check_number(condition, comparison)


def _check_number(condition: Condition, comparison: Comparison) -> None:
    whole = all(re.fullmatch(r"\d{1,9}", literal.text) for literal in comparison.literals)
    if not whole or not comparison.literals or comparison.operator in ("~", "!~"):
        raise ExpectationError(f"{condition.name}: “{condition.text}” is not a whole number or a comparison with one")
    if comparison.operator == "set" and condition.key == "rows":
        raise ExpectationError(f"rows: “{condition.text}” is a list; write in (1, 2) for one of several numbers")
