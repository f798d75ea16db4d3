"""Limits: every rule can be reached and left, phases, overrides, and that nothing unread is ever good."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migconsole.adapters.postgres.probes.catalogue import BY_NAME
from migconsole.domain.limits import RULES, TEXT_RULES, Rule
from migconsole.domain.readings import Level, Quality, Reading
from migconsole.domain.thresholds import THRESHOLDS, Phase, judge


def reading(probe: str, *rows: dict[str, Any], quality: Quality = Quality.OK, reason: str = "") -> Reading:
    return Reading(probe, 0.0, 0.0, quality, rows, reason)


def row_for(rule: Rule, value: float) -> dict[str, Any]:
    """A row that the rule looks at, with ``value``; every other column is there too."""
    lists = {"pids": [4711, 4712], "list": ["public.t", "public.u"]}
    row: dict[str, Any] = {column.name: lists.get(column.unit) for column in BY_NAME[rule.probe].columns}
    for column, operator, expected in rule.where:
        if operator == "!=":
            row[column] = ["public.t"] if expected == () else (not expected if isinstance(expected, bool) else "data")
        else:
            row[column] = expected - 1 if operator == "<" else expected
    row[rule.column] = value
    return row


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rules_name_columns_that_exist(rule: Rule) -> None:
    columns = {column.name for column in BY_NAME[rule.probe].columns}
    assert rule.column in columns
    assert {condition[0] for condition in rule.where} <= columns
    assert rule.warn is not None or rule.critical is not None
    assert rule.source
    assert rule.name.startswith(f"{rule.probe}.")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_is_reached_at_its_limit(rule: Rule) -> None:
    for limit, level in ((rule.warn, Level.WARN), (rule.critical, Level.CRITICAL)):
        if limit is None:
            continue
        rows = [row_for(rule, limit)] * rule.rows
        alone = type(THRESHOLDS)(rules=(rule,))
        found, message = alone.judge(reading(rule.probe, *rows), rule.phases[0])
        assert found is level
        assert message
        assert "{" not in message
        assert alone.judge(reading(rule.probe, *rows[1:]), rule.phases[0])[0] is Level.GOOD
        for phase in set(Phase) - set(rule.phases):
            assert alone.judge(reading(rule.probe, *rows), phase)[0] is Level.GOOD


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@settings(max_examples=15)
@given(value=st.floats(0, 1e12))
def test_levels_only_worsen_with_the_value(rule: Rule, value: float) -> None:
    order = [Level.GOOD, Level.WARN, Level.CRITICAL]
    worse = value * 2 if rule.above else value / 2
    assert order.index(rule.level(worse)) >= order.index(rule.level(value))


@pytest.mark.parametrize("quality", [quality for quality in Quality if quality is not Quality.OK])
def test_what_was_not_read_is_never_good(quality: Quality) -> None:
    for probe in BY_NAME:
        level, message = judge(probe, reading(probe, quality=quality, reason="why"), Phase.STEP)
        assert level is Level.UNKNOWN
        assert message == f"{quality.value}: why"


def test_what_is_visibly_bad_counts_without_the_rest() -> None:
    row = {"kind": "session", "pid": 7, "wait_s": 700.0, "migration": False, "holds_up": 0, "cycle": False}
    hidden = reading("lock_tree", row, quality=Quality.NO_PRIVILEGE, reason="2 sessions are hidden")
    assert judge("lock_tree", hidden, Phase.BEFORE) == (Level.CRITICAL, "pid 7 has waited 11m40s for a lock")


def test_the_migration_has_limits_of_its_own() -> None:
    row = {"pid": 4711, "migration": True, "holds_up": 14, "oldest_victim_s": 6.2, "wait_s": 7.0, "kind": "session"}
    assert judge("lock_tree", reading("lock_tree", row), Phase.STEP) == (
        Level.WARN,
        "the migration (pid 4711) holds up 14, the oldest for 6s",
    )
    assert judge("lock_tree", reading("lock_tree", row), Phase.LATER)[0] is Level.GOOD


def test_three_must_wait_for_the_crowd_rule() -> None:
    rows = [{"pid": pid, "wait_s": 301.0, "migration": True, "holds_up": 0} for pid in range(3)]
    assert judge("lock_tree", reading("lock_tree", *rows[:2]), Phase.LATER)[0] is Level.GOOD
    assert judge("lock_tree", reading("lock_tree", *rows), Phase.LATER) == (
        Level.WARN,
        "3 sessions have waited 5m1s and longer for locks",
    )


def test_texts_that_are_alarms_by_themselves() -> None:
    for probe, (column, level, _) in TEXT_RULES.items():
        assert column in {one.name for one in BY_NAME[probe].columns}
        row: dict[str, Any] = dict.fromkeys(one.name for one in BY_NAME[probe].columns)
        assert judge(probe, reading(probe, row), Phase.LATER)[0] is Level.GOOD
        assert judge(probe, reading(probe, row | {column: "changed"}), Phase.LATER)[0] is level
    drift = [{"name": "", "hash": "x"}, {"name": "work_mem", "value": "8MB", "before": "4MB"}]
    assert judge("config_drift", reading("config_drift", *drift), Phase.STEP)[1] == (
        "the setting work_mem changed from 4MB to 8MB"
    )


def test_overrides() -> None:
    row = {"used": 70, "slots": 100, "used_share": 0.70}
    one = reading("conn_saturation", row)
    assert THRESHOLDS.judge(one, Phase.STEP)[0] is Level.GOOD
    lower = THRESHOLDS.overridden({"conn_saturation": {"warn": "60%", "critical": 0.7}})
    assert lower.judge(one, Phase.STEP) == (Level.CRITICAL, "70 % of the connection slots are taken (70 of 100)")
    assert lower.limits("conn_saturation", "used_share", Phase.STEP) == (0.6, 0.7)
    assert lower.overridden({"conn_saturation": "off"}).judge(one, Phase.STEP)[0] is Level.GOOD
    assert lower.overridden({"conn_saturation.used": {"critical": None}}).judge(one, Phase.STEP)[0] is Level.WARN
    assert THRESHOLDS.judge(one, Phase.STEP)[0] is Level.GOOD, "the original is as it was"
    sized = THRESHOLDS.overridden({"bloat_est": {"warn": "10MB"}, "long_xact.age": {"warn": "5m", "critical": "10m"}})
    assert sized.limits("bloat_est", "wasted", Phase.LATER)[0] == 10 * 1024**2
    assert sized.limits("long_xact", "age_s", Phase.LATER) == (300.0, 600.0)
    silent = THRESHOLDS.overridden({"server_identity.changed": "off"})
    assert silent.judge(reading("server_identity", {"changed": "restarted"}), Phase.STEP)[0] is Level.GOOD


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"conn_satturation": {"warn": 1}}, "there is no alarm “conn_satturation”; known are "),
        ({"lock_tree": {"warn": 1}}, "has several alarms; say which: lock_tree.migration"),
        ({"conn_saturation": {"warm": 1}}, "has no warm; it takes warn and critical"),
        ({"conn_saturation": {"warn": "many"}}, "“many” is no limit; write it like 80%"),
        ({"idle_in_xact.age": {"warn": "90"}}, "“90” is no limit; write it like 30s"),
        ({"conn_saturation": {"warn": "99%"}}, "would be critical before it warns"),
        ({"conn_saturation": 5}, "takes warn and critical, or off"),
        ({"server_identity.changed": {"warn": 1}}, "has no limits; it can only be off"),
    ],
)
def test_wrong_overrides_name_what_is_right(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        THRESHOLDS.overridden(changes)
    assert says in str(caught.value)


def test_few_checkpoints_say_nothing() -> None:
    """Creating a database demands one: that is no load for which max_wal_size would be small."""
    few = {"timed_share": 0.0, "counted": 4}
    assert judge("checkpoints", reading("checkpoints", few), Phase.BEFORE)[0] is Level.GOOD
    assert judge("checkpoints", reading("checkpoints", few | {"counted": 5}), Phase.BEFORE)[0] is Level.WARN
