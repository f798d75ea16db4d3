"""The server's own figures on both sides of a migration, for each transaction: a drop in traffic is no success."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from migconsole.domain.readings import Level
from migconsole.domain.snapshots import COUNTERS, TABLES, WAL, Row, Span
from migconsole.domain.windows import Window

ENOUGH = 50
"""Transactions on each side below which a mean of them says nothing."""

DOUBLED = 2.0
"""A figure of this multiple is worth a colour; no figure alone is critical."""

SCANS = 10
"""Sequential scans of a table since the migration below which no statement is blamed on them."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure before and after. ``unit`` is one of the catalogue's; ``muted`` says why it is not judged."""

    name: str
    title: str
    unit: str
    before: float | None
    after: float | None
    level: Level = Level.GOOD
    muted: str = ""

    @property
    def ratio(self) -> float | None:
        """After as a multiple of before; None where one is unknown or there was none before."""
        if self.before is None or self.after is None or not self.before:
            return None
        return self.after / self.before


_PER_TRANSACTION = (
    ("blocks_read", "blocks read", "count", COUNTERS, True),
    ("temp_bytes", "temporary files", "bytes", COUNTERS, False),
    ("position", "WAL", "bytes", WAL, False),
    ("deadlocks", "deadlocks", "count", COUNTERS, False),
)


def metrics(
    before: Span, after: Span, first: Window, second: Window, least_traffic: float, warm: bool
) -> tuple[Metric, ...]:
    """Traffic, then what a transaction costs. ``warm`` mutes what caches decide."""
    tx = (_transactions(before), _transactions(after))
    rates = (_rate(before), _rate(after))
    muted = "caches are warming" if warm else ""
    traffic = Metric("tps", "transactions", "/s", *rates)
    slow = traffic.ratio is not None and traffic.ratio < least_traffic
    time = (_share(_busy(before, first), rates[0]), _share(_busy(after, second), rates[1]))
    rolled = (_share(before.growth(COUNTERS, "rollbacks"), tx[0]), _share(after.growth(COUNTERS, "rollbacks"), tx[1]))
    found = [
        Metric("time", "statement time / transaction", "ms", *time),
        Metric("rollback_share", "rolled back", "share", *rolled),
    ]
    for name, title, unit, probe, cached in _PER_TRANSACTION:
        values = (_share(before.rate(probe, name), rates[0]), _share(after.rate(probe, name), rates[1]))
        found.append(Metric(name, f"{title} / transaction", unit, *values, muted=muted if cached else ""))
    return (
        replace(traffic, level=Level.WARN if slow else Level.GOOD),
        *(_judged(metric, tx) for metric in found),
        Metric("cache_hit", "read from cache", "share", _hit(before), _hit(after), muted=muted),
    )


def _transactions(span: Span) -> float | None:
    commits, rollbacks = span.growth(COUNTERS, "commits"), span.growth(COUNTERS, "rollbacks")
    return None if commits is None or rollbacks is None else commits + rollbacks


def _rate(span: Span) -> float | None:
    """Transactions a second."""
    return _share(_transactions(span), span.elapsed(COUNTERS))


def _busy(span: Span, statements: Window) -> float | None:
    """Milliseconds a second in statements."""
    return _share(statements.total, span.seconds)


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def _hit(span: Span) -> float | None:
    hit, read = span.growth(COUNTERS, "blocks_hit"), span.growth(COUNTERS, "blocks_read")
    return None if hit is None or read is None or not hit + read else hit / (hit + read)


def _judged(metric: Metric, transactions: tuple[float | None, float | None]) -> Metric:
    enough = all(count is not None and count >= ENOUGH for count in transactions)
    doubled = metric.ratio is not None and metric.ratio >= DOUBLED
    if not enough or not doubled or metric.muted:
        return metric
    return replace(metric, level=Level.WARN)


def scan_clue(text: str, before: Span, after: Span) -> str:
    """A table of the statement that is read sequentially now and was not before, "" when there is none."""
    words = set(re.findall(r"\w+", text.lower()))
    known = {row.get("oid"): row for row in before.end.rows(TABLES)}
    for row in after.end.rows(TABLES):
        relation = str(row.get("relation") or "")
        name = relation.rpartition(".")[2].strip('"')
        old = known.get(row.get("oid"))
        if name.lower() not in words or old is None:
            continue
        scans = (row.get("seq_scans") or 0) - (old.get("seq_scans") or 0)
        if scans < SCANS:
            continue
        now, then = _scan_rate(after, row), _scan_rate(before, old)
        if now is not None and (then is None or now >= DOUBLED * then + 0.01):
            was = "" if then is None else f", {then:.1f}/s before"
            return f"{name} is read sequentially {now:.1f} times a second{was}"
    return ""


def _scan_rate(span: Span, end: Row) -> float | None:
    """Sequential scans a second of the table in a row of the span's end."""
    if span.begin is None:
        return None
    begin = next((row for row in span.begin.rows(TABLES) if row.get("oid") == end.get("oid")), None)
    readings = (span.begin.readings.get(TABLES), span.end.readings.get(TABLES))
    if begin is None or readings[0] is None or readings[1] is None or readings[1].at <= readings[0].at:
        return None
    grown: float = (end.get("seq_scans") or 0) - (begin.get("seq_scans") or 0)
    return max(0.0, grown) / (readings[1].at - readings[0].at)
