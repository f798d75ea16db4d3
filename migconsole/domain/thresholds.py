"""When a reading is bad, as data: limits with their source, by phase, overridable by a checklist or a user.

Nothing is good that was not read: without a value the level is unknown, and only what is visibly bad counts then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from migconsole.domain.limits import RULES, TEXT_RULES, Condition, Phase, Row, Rule
from migconsole.domain.quantities import QuantityError, format_duration, format_size, parse_duration, parse_size
from migconsole.domain.readings import Level, Quality, Reading

__all__ = ["RULES", "THRESHOLDS", "Phase", "Rule", "Thresholds", "judge"]

_ABSOLUTE = frozenset({"clock_skew.skew"})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All limits that hold. Give a mapping of a checklist or a user's configuration to ``overridden``."""

    rules: tuple[Rule, ...] = RULES
    silenced: frozenset[str] = field(default_factory=frozenset)

    def judge(self, reading: Reading, phase: Phase) -> tuple[Level, str]:
        """The worst of what this reading says in this phase, with a sentence; "" when nothing is wrong.

        A reading that is not ok is never good: what it shows can be bad, else it is unknown, with the reason.
        """
        worst, message = Level.GOOD, ""
        for level, text in self._findings(reading, phase):
            if _RANK[level] > _RANK[worst]:
                worst, message = level, text
        if reading.quality is not Quality.OK and worst is Level.GOOD:
            return (
                Level.UNKNOWN,
                f"{reading.quality.value}: {reading.reason}" if reading.reason else reading.quality.value,
            )
        return worst, message

    def _findings(self, reading: Reading, phase: Phase) -> Iterable[tuple[Level, str]]:
        for rule in self.rules:
            if rule.probe == reading.probe and phase in rule.phases and rule.name not in self.silenced:
                yield _apply(rule, reading.rows)
        if reading.probe in TEXT_RULES and f"{reading.probe}.changed" not in self.silenced:
            column, level, message = TEXT_RULES[reading.probe]
            texts = [_filled(message, row, row.get("value"), 1, "text") for row in reading.rows if row.get(column)]
            if texts:
                more = f" (and {len(texts) - 1} more)" if len(texts) > 1 else ""
                yield level, f"{texts[0]}{more}"

    def overridden(self, changes: Mapping[str, Any]) -> Thresholds:
        """Other limits: ``{"conn_saturation": {"warn": "70%", "critical": 0.9}, "idle_in_xact.age": "off"}``.

        A key is a rule's name, or a probe's when it has one rule. Limits are numbers in the rule's unit or texts such
        as 30s, 5GB, 80%; None takes a level away. Raises ValueError that names what is wrong and what would be right.
        """
        rules = {rule.name: rule for rule in self.rules}
        silenced = set(self.silenced)
        for key, change in changes.items():
            names = [key] if key in rules or key in _TEXT_NAMES else [n for n in rules if rules[n].probe == key]
            if not names:
                raise ValueError(f"there is no alarm “{key}”; known are {', '.join(sorted(self.names()))}")
            if _is_off(change):
                silenced.update(names)
                silenced.update({f"{key}.changed"} & _TEXT_NAMES)
                continue
            if len(names) > 1:
                raise ValueError(f"the probe {key} has several alarms; say which: {', '.join(names)}")
            if names[0] not in rules:
                raise ValueError(f"the alarm {key} has no limits; it can only be off")
            rules[names[0]] = _changed(rules[names[0]], change)
        return replace(self, rules=tuple(rules.values()), silenced=frozenset(silenced))

    def names(self) -> frozenset[str]:
        """Every alarm there is."""
        return frozenset(rule.name for rule in self.rules) | _TEXT_NAMES

    def limits(self, probe: str, column: str, phase: Phase) -> tuple[float | None, float | None]:
        """Warn and critical of a column in a phase, to draw them as bands; None where there is none."""
        for rule in self.rules:
            if (rule.probe, rule.column) == (probe, column) and phase in rule.phases and rule.name not in self.silenced:
                return rule.warn, rule.critical
        return None, None


_RANK = {Level.UNKNOWN: 0, Level.GOOD: 0, Level.WARN: 1, Level.CRITICAL: 2}
_TEXT_NAMES = frozenset(f"{probe}.changed" for probe in TEXT_RULES)


def _is_off(change: Any) -> bool:
    return change is False or (isinstance(change, str) and change.strip().lower() == "off")


def _changed(rule: Rule, change: Any) -> Rule:
    if not isinstance(change, Mapping):
        raise ValueError(f"{rule.name} takes warn and critical, or off")
    unknown = set(change) - {"warn", "critical"}
    if unknown:
        raise ValueError(
            f"{rule.name} has no {', '.join(sorted(map(str, unknown)))}; it takes warn and critical, or off"
        )
    warn = _limit(rule, change["warn"]) if "warn" in change else rule.warn
    critical = _limit(rule, change["critical"]) if "critical" in change else rule.critical
    changed = replace(rule, warn=warn, critical=critical)
    if changed.warn is not None and changed.critical is not None:
        wrong = changed.warn > changed.critical if rule.above else changed.warn < changed.critical
        if wrong:
            raise ValueError(f"{rule.name} would be critical before it warns")
    return changed


def _limit(rule: Rule, value: Any) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    text = str(value).strip()
    try:
        if rule.unit == "s":
            return parse_duration(text)
        if rule.unit == "bytes":
            return float(parse_size(text))
        if text.endswith("%"):
            return float(text[:-1]) / 100
        return float(text)
    except (QuantityError, ValueError):
        example = {"s": "30s", "bytes": "5GB", "share": "80%"}.get(rule.unit, "10")
        raise ValueError(f"{rule.name}: “{text}” is no limit; write it like {example}") from None


def _apply(rule: Rule, rows: Iterable[Row]) -> tuple[Level, str]:
    found = []
    for row in rows:
        value = row.get(rule.column)
        if value is None or not all(_holds(row, condition) for condition in rule.where):
            continue
        number = abs(float(value)) if rule.name in _ABSOLUTE else float(value)
        level = rule.level(number)
        if level is not Level.GOOD:
            found.append((_RANK[level], number if rule.above else -number, level, row))
    critical = [one for one in found if one[2] is Level.CRITICAL]
    for level, those in ((Level.CRITICAL, critical), (Level.WARN, found)):
        if len(those) >= rule.rows:
            _, value, _, row = (
                max(those, key=lambda one: one[:2]) if rule.rows == 1 else min(those, key=lambda o: o[:2])
            )
            return level, _filled(rule.message, row, abs(value), len(those), rule.unit)
    return Level.GOOD, ""


def _holds(row: Row, condition: Condition) -> bool:
    column, operator, expected = condition
    value = row.get(column)
    if operator in ("=", "!="):
        same = not value if expected == () else value == expected
        return same == (operator == "=")
    if value is None:
        return False
    return bool({">": value > expected, ">=": value >= expected, "<": value < expected}[operator])


def _filled(message: str, row: Row, value: Any, number: int, unit: str) -> str:
    known = {
        name: "?" if one is None else ", ".join(map(str, one)) if isinstance(one, list) else one
        for name, one in row.items()
    }
    return message.format_map(_Lenient(known | {"value": _written(value, unit), "count": number}))


class _Lenient(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def _written(value: Any, unit: str) -> str:
    if unit == "s":
        return format_duration(round(value, 1) if value < 60 else round(value))
    if unit == "bytes":
        return format_size(value)
    if unit == "share":
        return f"{value * 100:.3g} %"
    if unit == "text":
        return str(value)
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


THRESHOLDS = Thresholds()
"""The catalogue's own limits."""


def judge(probe: str, reading: Reading, phase: Phase, thresholds: Thresholds = THRESHOLDS) -> tuple[Level, str]:
    """The level of a reading of ``probe`` in a phase, with a sentence that says what is wrong."""
    if reading.probe != probe:
        raise ValueError(f"a reading of {reading.probe} cannot be judged as {probe}")
    return thresholds.judge(reading, phase)
