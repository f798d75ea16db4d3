"""What became slower since the baseline, and whether that is more than noise.

Four things together make a regression, so that neither a nightly job nor a lucky sample is one: enough calls on both
sides, a mean that is a multiple of what it was, a difference far outside of what chance makes of the two samples
(Welch's z), and enough of the database's time that anybody notices. What cannot be compared is listed, never dropped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from migconsole.domain.fingerprint import fingerprint
from migconsole.domain.readings import Level
from migconsole.domain.snapshots import Span, breaks, resets, started
from migconsole.domain.windows import Key, Statement, Window, together
from migconsole.domain.workload import Metric, metrics, scan_clue


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits of a verdict, warn before critical. All but ``calls`` are ours: no source claims them.

    ``calls`` on each side (below 50 a mean is an anecdote), ``ratio`` of the means, ``z`` standard errors between them
    (4: by chance once in thirty thousand), ``impact`` as a share of the database time of the window, ``traffic`` below
    which the load itself is what changed, ``warm_up`` seconds after a start in which caches decide. In a window of less
    than ``short`` seconds a busier machine looks like a slower statement: nothing is critical there by time alone. What
    lasts that long is, whatever the reason: a statement that waits for locks reads the same rows and blocks, too.
    """

    calls: int = 50
    ratio: tuple[float, float] = (2.0, 5.0)
    z: float = 4.0
    impact: tuple[float, float] = (0.01, 0.05)
    traffic: float = 0.5
    warm_up: float = 900.0
    short: float = 60.0


RULES = Rules()

_SAME = "the same rows and blocks: waits, or a busier machine"

BY_ID, BY_TEXT = "same number", "same text"
"""How a statement was found again."""


@dataclass(frozen=True, slots=True)
class Change:
    """A statement on both sides. ``ratio`` is of the means, ``z`` in standard errors, ``impact`` a share of the time.

    ``impact`` is what the change costs (or saves, then it is negative) of the window's database time. ``level`` is GOOD
    where it did not become slower by the rules. ``clue`` says what its counters hint at, "" when nothing.
    """

    key: Key
    text: str
    before: Statement
    after: Statement
    link: str
    ratio: float
    z: float
    impact: float
    level: Level
    improved: bool = False
    clue: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A statement that has no verdict, and why."""

    key: Key
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Alone:
    """A statement that ran on one side only; ``share`` is its part of that side's database time."""

    key: Key
    text: str
    statement: Statement
    share: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two windows beside each other. ``void`` says why nothing here may be believed, "" when it may.

    ``regressed`` and ``improved`` have the greatest impact first; ``steady`` are judged and as they were. ``notes`` are
    what a reader must know. ``judged`` counts the statements with a verdict: without any there is none on the whole.
    ``own`` are migconsole's own statements on both sides: in no list, no verdict and no share of the time.
    """

    before: Span
    after: Span
    regressed: tuple[Change, ...] = ()
    improved: tuple[Change, ...] = ()
    steady: tuple[Change, ...] = ()
    new: tuple[Alone, ...] = ()
    vanished: tuple[Alone, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    metrics: tuple[Metric, ...] = ()
    notes: tuple[str, ...] = ()
    void: str = ""
    own: tuple[Window, Window] = (Window(0.0), Window(0.0))

    @property
    def judged(self) -> int:
        """How many statements have a verdict."""
        return 0 if self.void else len(self.regressed) + len(self.improved) + len(self.steady)

    def count(self, level: Level) -> int | None:
        """How many became slower to this level; None when nothing could be judged."""
        return sum(change.level is level for change in self.regressed) if self.judged else None

    @property
    def traffic(self) -> float | None:
        """Transactions a second against those of the baseline."""
        return next((metric.ratio for metric in self.metrics if metric.name == "tps"), None)


def welch(before: Statement, after: Statement) -> float:
    """How many standard errors the mean moved; infinite where neither side varies and the means differ."""
    error = math.sqrt(before.deviation**2 / before.calls + after.deviation**2 / after.calls)
    moved = after.mean - before.mean
    return moved / error if error else math.copysign(math.inf, moved) if moved else 0.0


def compare(before: Span, after: Span, rules: Rules = RULES) -> Comparison:
    """Compare two windows: the load first, then every statement that can be found on both sides."""
    void = _void(before, after)
    notes = [*before.notes, *after.notes, *resets(before.end, after.begin or after.end)]
    numbers = before.own() | after.own()
    (first, own_before), (second, own_after) = before.apart(numbers), after.apart(numbers)
    notes += [f"baseline: {problem}" for problem in first.problems if before.begin is not None]
    notes += [f"since then: {problem}" for problem in second.problems]
    warm = _warming(after, rules)
    if warm:
        notes.append(warm)
    texts = before.texts() | after.texts()
    pairs, new, vanished, unknown = _match(first, second, texts)
    changes, quiet = [], []
    for old, now, link in pairs:
        few = _few(old, now, rules)
        if few:
            quiet.append(Unknown(now.key, texts.get(now.key[3], ""), few))
        else:
            changes.append(_judged(old, now, link, texts, second.total, rules))
    found = metrics(before, after, first, second, rules.traffic, bool(warm))
    dropped = next((m for m in found if m.name == "tps" and m.level is not Level.GOOD and m.ratio is not None), None)
    if dropped is not None and dropped.ratio is not None:
        notes.append(f"only {dropped.ratio:.0%} of the baseline's traffic: fewer calls are no success")
    ordered = sorted(changes, key=lambda change: -abs(change.impact))
    return Comparison(
        before,
        after,
        tuple(_with_clue(c, before, after, rules) for c in ordered if c.level in (Level.WARN, Level.CRITICAL)),
        tuple(c for c in ordered if c.improved),
        tuple(c for c in ordered if c.level is Level.GOOD and not c.improved),
        _alone(new, texts, second.total),
        _alone(vanished, texts, first.total),
        (*unknown, *quiet),
        found,
        tuple(notes),
        void,
        (own_before, own_after),
    )


def sustained(before: Span, windows: Sequence[Span], rules: Rules = RULES) -> int | None:
    """How many statements are critically slower in the two newest windows of those that follow each other.

    One bad quarter of an hour may be a backup or a cold cache; two in a row are the migration. A window that has only
    just begun and has no verdict yet does not count; None where there are not two that have one, or where the only
    statements that are critical in one have too few calls in the other. Two windows that together last as long as a
    verdict by time alone takes are judged by time alone.
    """
    pair: list[Span] = []
    for window in reversed(windows):
        if compare(before, window, rules).judged:
            pair.append(window)
        if len(pair) == 2:
            break
    else:
        return None
    if sum(window.seconds for window in pair) >= rules.short:
        rules = replace(rules, short=0.0)
    second, first = (compare(before, window, rules) for window in pair)
    both = _critical(first) & _critical(second)
    open_still = (_critical(second) - _seen(first)) | (_critical(first) - _seen(second))
    return None if open_still and not both else len(both)


def _critical(comparison: Comparison) -> set[Key]:
    return {change.key for change in comparison.regressed if change.level is Level.CRITICAL}


def _seen(comparison: Comparison) -> set[Key]:
    """The statements that have a verdict: one that has none in a window was not found to be well in it."""
    return {change.key for change in (*comparison.regressed, *comparison.improved, *comparison.steady)}


def _void(before: Span, after: Span) -> str:
    for span, name in ((before, "the baseline"), (after, "the window")):
        if why := span.end.why_no_statements():
            return f"{name} has no statistics of statements: {why}"
        if span.broken:
            return f"in {name} {', '.join(span.broken)}"
        if span.begin is not None and span.seconds < 0:
            return f"{name} ends before it begins: the clock was set"
    broken = breaks(before.end, after.begin or after.end)
    return f"since the baseline {', '.join(broken)}: a fresh baseline is needed" if broken else ""


def _warming(after: Span, rules: Rules) -> str:
    began = started(after.end)
    ago = None if began is None else after.end.at - began
    if ago is None or not 0 <= ago < rules.warm_up:
        return ""
    return f"the server started {ago / 60:.0f} min ago: caches are warming, reads are not judged"


Pair = tuple[Statement, Statement, str]


def _match(
    first: Window, second: Window, texts: Mapping[str, str]
) -> tuple[list[Pair], list[Statement], list[Statement], list[Unknown]]:
    """Statements of both sides by their number, else by role and text; what is left over on each side."""
    by_key = {statement.key: statement for statement in first.statements}
    names = {number: fingerprint(text) for number, text in texts.items()}
    by_text: dict[tuple[int, bool, str], list[Statement]] = {}
    for statement in first.statements:
        if name := names.get(statement.key[3]):
            by_text.setdefault((statement.key[1], statement.key[2], name), []).append(statement)
    pairs: list[Pair] = []
    new: list[Statement] = []
    used: set[Key] = set()
    unknown = [Unknown(one.key, texts.get(one.key[3], ""), f"since then {one.reason}") for one in second.incomparable]
    unknown += [Unknown(one.key, texts.get(one.key[3], ""), f"baseline: {one.reason}") for one in first.incomparable]
    hidden = {one.key for one in first.incomparable}
    unnamed = any(names.get(statement.key[3], "") == "" for statement in first.statements)
    for statement in second.statements:
        role, top, number = statement.key[1:]
        name = names.get(number, "")
        old = by_key.get(statement.key)
        alike = by_text.get((role, top, name), []) if name else []
        if old is not None:
            pairs.append((old, statement, BY_ID))
            used.add(old.key)
        elif alike:
            pairs.append((together(alike), statement, BY_TEXT))
            used.update(one.key for one in alike)
        elif statement.key in hidden:
            continue  # it is listed already, with the baseline's reason
        elif not name and unnamed:
            unknown.append(Unknown(statement.key, "", "a new number, and its text was not read: it may be an old one"))
        else:
            new.append(statement)
    lost = {one.key for one in second.incomparable}
    vanished = [one for one in first.statements if one.key not in used and one.key not in lost]
    return pairs, new, vanished, unknown


def _few(old: Statement, now: Statement, rules: Rules) -> str:
    if old.calls < rules.calls:
        return f"only {old.calls} calls in the baseline"
    return f"only {now.calls} calls since then" if now.calls < rules.calls else ""


def _judged(old: Statement, now: Statement, link: str, texts: Mapping[str, str], total: float, rules: Rules) -> Change:
    ratio = now.mean / old.mean if old.mean else math.inf if now.mean else 1.0
    z = welch(old, now)
    cost = (now.mean - old.mean) * now.calls
    impact = cost / total if total else 0.0
    level = Level.GOOD
    if z >= rules.z:
        if ratio >= rules.ratio[1] and impact >= rules.impact[1]:
            level = Level.CRITICAL
        elif ratio >= rules.ratio[0] and impact >= rules.impact[0]:
            level = Level.WARN
    improved = z <= -rules.z and ratio <= 1 / rules.ratio[0] and -impact >= rules.impact[0]
    return Change(now.key, texts.get(now.key[3], ""), old, now, link, ratio, z, impact, level, improved)


def _alone(those: Iterable[Statement], texts: Mapping[str, str], total: float) -> tuple[Alone, ...]:
    return tuple(
        Alone(one.key, texts.get(one.key[3], ""), one, one.total / total if total else 0.0)
        for one in sorted(those, key=lambda one: -one.total)
    )


def _with_clue(change: Change, before: Span, after: Span, rules: Rules) -> Change:
    blocks = _blocks_clue(change)
    clues = [clue for clue in (blocks, scan_clue(change.text, before, after)) if clue]
    level = Level.WARN if clues in ([], [_SAME]) and 0 < after.seconds < rules.short else change.level
    return replace(change, clue="; ".join(clues), level=level)


def _blocks_clue(change: Change) -> str:
    """What rows and blocks of a call say without asking for a plan."""
    rows = _per_call(change, "rows")
    hit, read = _per_call(change, "blocks_hit"), _per_call(change, "blocks_read")
    if rows is None or hit is None or read is None:
        return ""
    blocks = (hit[0] + read[0], hit[1] + read[1])
    more_rows = rows[1] / rows[0] if rows[0] else math.inf if rows[1] else 1.0
    more_blocks = blocks[1] / blocks[0] if blocks[0] else math.inf if blocks[1] else 1.0
    if more_rows >= 2:
        return f"{_times(more_rows)} the rows"
    if more_blocks >= 2:
        return f"{_times(more_blocks)} the blocks for the same rows: another plan, or bloat"
    return _SAME


def _times(ratio: float) -> str:
    return "many times" if math.isinf(ratio) else f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.1f}×"


def _per_call(change: Change, counter: str) -> tuple[float, float] | None:
    before, after = change.before.counters.get(counter), change.after.counters.get(counter)
    return None if before is None or after is None else (before / change.before.calls, after / change.after.calls)
