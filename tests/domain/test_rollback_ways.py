"""The table of ways and their plans: reasons, filled-in commands, what a pooler costs."""

from __future__ import annotations

import pytest

from migconsole.domain.rollback_deeds import rollback_plan
from migconsole.domain.rollback_options import options, outage_of_swap
from migconsole.domain.rollback_plan import UNHELD_POOLER_SECONDS, Strategy
from migconsole.domain.rollback_survey import Measured
from tests.desk import APP, PREPARED, RUN, row, survey

SLOW = "expect 15 s and more"
RESTORING = (Strategy.SWAP, Strategy.SIDE_RESTORE, Strategy.IN_PLACE)


@pytest.mark.parametrize("strategy", RESTORING)
def test_a_pooler_without_hooks_is_said_in_every_plan_that_shuts_clients_out(strategy: Strategy) -> None:
    seen = survey(pooler="pgbouncer at db1:6432", backup="/b/1")
    assert any(SLOW in warning for warning in rollback_plan(seen, strategy, keep="/kept").warnings)
    hooks = {"pause": "PAUSE", "resume": "RESUME"}
    held = survey(pooler="pgbouncer at db1:6432", backup="/b/1", hooks=hooks)
    assert not any(SLOW in warning for warning in rollback_plan(held, strategy, keep="/kept").warnings)


def test_the_outage_behind_it_counts_the_fifteen_seconds() -> None:
    direct = outage_of_swap(survey())[0]
    assert outage_of_swap(survey(pooler="x"))[0] == direct + UNHELD_POOLER_SECONDS
    assert outage_of_swap(survey(pooler="x", hooks={"pause": "p", "resume": "r"}))[0] == direct
    assert outage_of_swap(survey(measured=Measured(swap=0.31))) == (0.31, "measured in this run")


def test_every_way_is_there_and_what_is_not_possible_says_why() -> None:
    table = {option.strategy: option for option in options(survey(blockers=(PREPARED,)))}
    assert set(table) == set(Strategy) - {Strategy.SNAPSHOT}
    for option in table.values():
        assert option.feasible or all(option.why_not)
        assert option.loss
        assert option.basis
    assert any("order-77" in why for why in table[Strategy.SWAP].why_not)
    assert table[Strategy.IN_PLACE].why_not


def test_point_in_time_and_clone_are_commands_filled_in_with_this_run() -> None:
    table = {option.strategy: option for option in options(survey())}
    pitr, clone = table[Strategy.PITR], table[Strategy.CLONE]
    assert not pitr.executed
    assert not clone.executed
    assert pitr.commands[0].startswith(f"SELECT pg_create_restore_point('migconsole_{RUN[:8]}');")
    assert f"--type=name --target=migconsole_{RUN[:8]} restore" in pitr.commands[1]
    assert pitr.commands[2:4] == (
        "pgbackrest --stanza=STANZA --delta --type=lsn --target=2A/1FB0018 restore",
        "barman recover --target-lsn 2A/1FB0018 SERVER BACKUP DIRECTORY",
    )
    assert "7300000000000000001, timeline 1" in pitr.commands[-1]
    assert f'TEMPLATE "{APP}"' in clone.commands[1]
    assert f'"{APP}__rp_{RUN[:8]}"' in clone.commands[1]
    for strategy in (Strategy.PITR, Strategy.CLONE):
        plan = rollback_plan(survey(), strategy)
        assert plan.by_hand
        assert [step.command for step in plan.steps] == list(table[strategy].commands)


def test_times_are_this_runs_own_and_unknown_where_none_was_measured() -> None:
    cold = survey((row(APP, 16401),), backup="/b/1", measured=Measured(dump=3.0, restore=420.0, swap=0.4))
    table = {option.strategy: option for option in options(cold)}
    assert table[Strategy.SIDE_RESTORE].downtime == 0.4
    assert "after a restore of 7m" in table[Strategy.SIDE_RESTORE].basis
    assert table[Strategy.IN_PLACE].downtime == 423.0
    unknown = {option.strategy: option for option in options(survey((row(APP, 16401),), backup="/b/1"))}
    assert "restore time unknown" in unknown[Strategy.SIDE_RESTORE].basis
    assert unknown[Strategy.IN_PLACE].downtime is None
