"""What a built-in job says about itself when it ends, and what of it is believed.

A job is a process of its own, and its outcome is a file that anyone with the account may have written: what it claims
is bounded, typed and limited to the facts that a job may state. Nothing in it can pass an item by itself: the verdict
is weighed with the exit code and the item's expectation (``migconsole.engine.verdicts``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migconsole.domain.events import JOB_FACTS
from migconsole.domain.variables import NAME, is_reserved_name, is_secret_name

VERDICTS = ("passed", "failed", "asks")

MOST_LINES = 500
LONGEST_LINE = 2_000
MOST_VALUES = 200
MOST_FACTS = 50
LARGEST_FACT = 64 * 1024
"""Bounds of what is taken over; what is beyond them is left out, and the outcome is then a question to a person."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a built-in job ended, in its own words.

    ``verdict`` is passed, failed or asks. ``values`` are what an ``expect`` is evaluated on, numbers in base units
    (bytes, seconds). ``captured`` are texts for later items, named ``<job>_<name>`` and read as ``${<job>.<name>}``.
    ``facts`` are mappings with ``kind``, ``key`` and ``data``, appended to the journal once under their keys.
    """

    verdict: str
    reasons: Sequence[str] = ()
    lines: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    captured: Mapping[str, str] = field(default_factory=dict)
    facts: Sequence[Mapping[str, Any]] = ()

    def data(self) -> dict[str, Any]:
        """The outcome as it is written down. Raises ValueError for a verdict that there is not."""
        if self.verdict not in VERDICTS:
            raise ValueError(f"a job's verdict is {', '.join(VERDICTS)}, not {self.verdict!r}")
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "lines": list(self.lines),
            "values": dict(self.values),
            "captured": dict(self.captured),
            "facts": [
                {"kind": str(fact["kind"]), "key": str(fact["key"]), "data": dict(fact["data"])} for fact in self.facts
            ],
        }


def believed(data: Mapping[str, Any]) -> JobOutcome:
    """What of a job's file is taken over. Raises ValueError when it holds no verdict.

    Whatever is of another form than promised is left out and named in ``reasons``; the verdict is then at best "asks".
    """
    verdict = data.get("verdict")
    if verdict not in VERDICTS:
        raise ValueError("it states no verdict")
    odd: list[str] = []
    outcome = JobOutcome(
        str(verdict),
        _texts(data.get("reasons"), "reasons", odd),
        _texts(data.get("lines"), "lines", odd),
        _values(data.get("values"), odd),
        _captured(data.get("captured"), odd),
        _facts(data.get("facts"), odd),
    )
    if not odd:
        return outcome
    reasons = (*outcome.reasons, f"parts of its outcome were not taken over: {', '.join(dict.fromkeys(odd))}")
    word = "asks" if outcome.verdict == "passed" else outcome.verdict
    return JobOutcome(word, reasons, outcome.lines, outcome.values, outcome.captured, outcome.facts)


def fact_key(kind: str, key: str) -> str:
    """The key under which a job's fact is appended: it begins with its kind, so that it can meet no other fact's key.

    >>> fact_key("restore-point", "4711:armed"), fact_key("restore-point", "restore-point:4711:armed")
    ('restore-point:4711:armed', 'restore-point:4711:armed')
    """
    return key if key.startswith(f"{kind}:") else f"{kind}:{key}"


def captured_names(job: str, captured: Mapping[str, str]) -> dict[str, str]:
    """Captured values under the names that later items use: ``backup_path``, which is also ``${backup.path}``.

    >>> captured_names("backup", {"backup_path": "/b", "size": "12"})
    {'backup_path': '/b', 'backup_size': '12'}
    """
    return {name if name.startswith(f"{job}_") else f"{job}_{name}": text for name, text in captured.items()}


def _texts(found: Any, what: str, odd: list[str]) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        odd.append(what)
        return ()
    if len(found) > MOST_LINES:
        odd.append(f"{what} beyond {MOST_LINES}")
    return tuple(text[:LONGEST_LINE] for text in found[:MOST_LINES])


def _values(found: Any, odd: list[str]) -> dict[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, Mapping) or len(found) > MOST_VALUES:
        odd.append("values")
        return {}
    kept = {}
    for name, value in found.items():
        plain = all(map(_is_plain, value[:MOST_VALUES])) if isinstance(value, list) else _is_plain(value)
        if plain and isinstance(name, str) and len(name) <= LONGEST_LINE:
            kept[name] = value[:MOST_VALUES] if isinstance(value, list) else value
        else:
            odd.append("values")
    return kept


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int) or (isinstance(value, str) and len(value) <= LONGEST_LINE)


def _captured(found: Any, odd: list[str]) -> dict[str, str]:
    if found is None:
        return {}
    if not isinstance(found, Mapping) or len(found) > MOST_VALUES:
        odd.append("captured")
        return {}
    kept = {}
    for name, text in found.items():
        named = isinstance(name, str) and NAME.fullmatch(name) is not None
        fine = named and not is_reserved_name(name) and not is_secret_name(name)
        if fine and isinstance(text, str) and len(text) <= LONGEST_LINE and text.isprintable():
            kept[name] = text
        else:
            odd.append("captured")
    return kept


def _facts(found: Any, odd: list[str]) -> tuple[dict[str, Any], ...]:
    if found is None:
        return ()
    if not isinstance(found, list) or len(found) > MOST_FACTS:
        odd.append("facts")
        return ()
    kept = []
    for fact in found:
        if _is_fact(fact):
            kept.append({"kind": fact["kind"], "key": fact_key(fact["kind"], fact["key"]), "data": fact["data"]})
        else:
            odd.append("facts")
    return tuple(kept)


def _is_fact(fact: Any) -> bool:
    if not isinstance(fact, Mapping) or fact.get("kind") not in JOB_FACTS or not isinstance(fact.get("data"), Mapping):
        return False
    key = fact.get("key")
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_LINE:
        return False
    try:
        return len(json.dumps(fact["data"], allow_nan=False)) <= LARGEST_FACT
    except (TypeError, ValueError, RecursionError):
        return False
