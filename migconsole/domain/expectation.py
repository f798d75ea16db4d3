"""What an attempt must show to be verified: a small declared grammar, parsed at load time, never evaluated as code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class ExpectationError(ValueError):
    """An expectation that cannot be parsed; the message says what was expected instead."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of an ``expect`` block: ``key`` as written (exit, output, rows, value, column.n, free …) and its text."""

    key: str
    text: str


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
    """``passed`` is None when there is nothing to judge by: a person is asked, it never counts as a pass."""

    passed: bool | None
    reasons: tuple[str, ...] = ()
