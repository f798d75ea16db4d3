"""A desk with a server of values: the survey is made up, options and plans are the domain's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from migconsole.domain.rollback import DatabaseRow, Mark, Marker, Names
from migconsole.domain.rollback_deeds import purge_plan, put_back_plan, rollback_plan, swap_plan
from migconsole.domain.rollback_means import Means
from migconsole.domain.rollback_options import options
from migconsole.domain.rollback_plan import Deed, Option, Plan, Strategy
from migconsole.domain.rollback_state import derive
from migconsole.domain.rollback_survey import (
    Blocker,
    Candidate,
    Form,
    Hindrance,
    Original,
    ServerFacts,
    SessionGroup,
    Survey,
)
from migconsole.errors import MigconsoleError

APP, RUN = "fulfillment_ops_db", "0a1b2c3d4e5f"
NAMES = Names.of(APP, RUN)
TARGET = f"{APP}@db1:5432"
PREPARED = Blocker(Hindrance.PREPARED, "order-77", "prepared 12 min ago by app", "ROLLBACK PREPARED 'order-77'")


def row(name: str, oid: int, step: Mark | None = None, **more: Any) -> DatabaseRow:
    marker = None if step is None else Marker(RUN, APP, step, "b1", "f" * 64, "2030-11-25T09:41:00Z").text()
    return DatabaseRow(name, oid, comment=marker, size=12_300_000_000, **more)


def armed() -> tuple[DatabaseRow, ...]:
    return (row(APP, 16401, sessions=34), row(NAMES.side, 16999, Mark.ARMED, open=False))


def swapped() -> tuple[DatabaseRow, ...]:
    return (row(APP, 16999, sessions=3), row(NAMES.failed, 16401, Mark.FAILED, open=False))


def survey(rows: Sequence[DatabaseRow] = armed(), **more: Any) -> Survey:
    by_name = {one.name: one for one in rows}
    values: dict[str, Any] = {
        "at": "2030-11-25T10:22:00Z",
        "target": TARGET,
        "names": NAMES,
        "situation": derive(NAMES, by_name),
        "rows": by_name,
        "server": ServerFacts(160004, "7300000000000000001", 1, user="deploy", createdb=True, owns=True),
        "owner": RUN,
        "sessions": (
            SessionGroup("fulfillment-api", "app", "10.0.0.12", 31, 812.0),
            SessionGroup("psql", "ana", "10.0.0.7", 3, 44.0),
        ),
        "points": (
            Candidate(Form.SIDE, NAMES.side, "armed", "b1", "2030-11-25T09:41:00Z", "2A/1FB0018", 2460, 81 << 20),
        ),
        "size": 12_300_000_000,
        "original": Original(None, (), "", True),
        "ran": ("2030-11-25T10:08:11Z apply attempt 1: passed", "2030-11-25T10:12:40Z seed attempt 1: failed"),
        "loss": (
            "rows written since the restore point: 1,204 inserted, 311 updated, 2 deleted",
            "the restore point is 41 min old, 81 MB of WAL (of the whole server)",
            "  public.orders          1,190 inserted   300 updated   0 deleted",
            "  public.order_events       14 inserted    11 updated   2 deleted",
            "  public.sessions          unknown: its counters were reset",
            "12 tables without a write",
        ),
    }
    return Survey(**values | more)


class FakeDesk:
    """``now`` is what the next survey shows; ``trouble`` makes it impossible."""

    def __init__(self, now: Survey | None = None) -> None:
        self.now = now or survey()
        self.trouble: MigconsoleError | None = None
        self.looked = 0
        self.means = Means()

    async def survey(self, means: Means) -> Survey:
        self.looked += 1
        self.means = means
        if self.trouble is not None:
            raise self.trouble
        return self.now

    def options(self, survey: Survey, means: Means) -> Sequence[Option]:
        return options(survey, means)

    def plan(self, survey: Survey, strategy: Strategy, means: Means) -> Plan:
        if strategy is Strategy.SWAP:
            return swap_plan(survey)
        plan = Plan(Deed.ROLLBACK, f"By {strategy.value}", (), survey.target, strategy)
        if strategy is Strategy.APP_ONLY:
            return rollback_plan(survey, strategy, means)
        if strategy is Strategy.REVERT and means.script:
            return plan
        if strategy is Strategy.IN_PLACE:
            return replace(plan, twice=True, steps=swap_plan(survey).steps)
        return replace(plan, refusals=("no backup is at hand (--backup DIR)",))

    def put_back(self, survey: Survey) -> Plan:
        return put_back_plan(survey)

    def purge(self, survey: Survey, database: str) -> Plan:
        return purge_plan(survey, database)
