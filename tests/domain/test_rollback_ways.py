"""The table of ways and their plans: reasons, filled-in commands, what a pooler costs."""

from __future__ import annotations

import pytest

from migconsole.domain.rollback import DatabaseRow
from migconsole.domain.rollback_deeds import rollback_plan
from migconsole.domain.rollback_means import Means
from migconsole.domain.rollback_options import options, outage_of_swap
from migconsole.domain.rollback_plan import UNHELD_POOLER_SECONDS, Option, Strategy
from migconsole.domain.rollback_survey import Measured
from tests.desk import APP, PREPARED, RUN, armed, row, survey

SLOW = "expect 15 s and more"
RESTORING = (Strategy.SWAP, Strategy.SIDE_RESTORE, Strategy.IN_PLACE)


@pytest.mark.parametrize("strategy", RESTORING)
def test_a_pooler_without_hooks_is_said_in_every_plan_that_shuts_clients_out(strategy: Strategy) -> None:
    seen = survey(pooler="pgbouncer at db1:6432", backup="/b/1")
    assert any(SLOW in warning for warning in rollback_plan(seen, strategy, Means(keep="/kept")).warnings)
    hooks = {"pause": "PAUSE", "resume": "RESUME"}
    held = survey(pooler="pgbouncer at db1:6432", backup="/b/1", hooks=hooks)
    assert not any(SLOW in warning for warning in rollback_plan(held, strategy, Means(keep="/kept")).warnings)


def test_the_outage_behind_it_counts_the_fifteen_seconds() -> None:
    direct = outage_of_swap(survey())[0]
    assert outage_of_swap(survey(pooler="x"))[0] == direct + UNHELD_POOLER_SECONDS
    assert outage_of_swap(survey(pooler="x", hooks={"pause": "p", "resume": "r"}))[0] == direct
    assert outage_of_swap(survey(measured=Measured(swap=0.31))) == (0.31, "measured in this run")


def test_every_way_is_there_and_what_is_not_possible_says_why() -> None:
    table = {option.strategy: option for option in options(survey(blockers=(PREPARED,)))}
    assert set(table) == set(Strategy) - {Strategy.SNAPSHOT}
    for option in table.values():
        assert option.feasible or (option.refusals and all(option.refusals))
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


def test_whether_only_the_application_can_go_back_is_never_assumed() -> None:
    (way,) = (option for option in options(survey()) if option.strategy is Strategy.APP_ONLY)
    assert not way.feasible
    assert not way.why_not, "nothing is known against it, either"
    assert "only a person can say" in way.depends[0]
    assert way.loss.startswith("nothing")
    assert way.downtime is None
    plan = rollback_plan(survey(), Strategy.APP_ONLY)
    assert plan.refusals == way.depends
    said = Means(old_app="only adds columns")
    (way,) = (option for option in options(survey(), said) if option.strategy is Strategy.APP_ONLY)
    assert way.feasible
    assert way.downtime is None
    assert "only adds columns" in way.basis
    assert rollback_plan(survey(), Strategy.APP_ONLY, said).refusals == ()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ((), "There is no database"),
        ((row(APP, 16401, open=False),), "accepts no connections"),
        ((row(APP, 16401, open=False), armed()[1]), "accepts no connections"),
    ],
)
@pytest.mark.parametrize("strategy", [Strategy.APP_ONLY, Strategy.REVERT])
def test_neither_application_nor_script_goes_on_in_a_database_that_is_shut_or_gone(
    rows: tuple[DatabaseRow, ...], says: str, strategy: Strategy
) -> None:
    said = Means(script="/p/down.sql", old_app="only adds columns")
    (way,) = (option for option in options(survey(rows), said) if option.strategy is strategy)
    assert not way.feasible
    assert any(says in why for why in way.why_not)


def test_a_revert_needs_a_script_that_is_there() -> None:
    def way(means: Means) -> Option:
        return next(option for option in options(survey(), means) if option.strategy is Strategy.REVERT)

    assert "no revert script is named" in way(Means()).why_not[0]
    assert way(Means(script="/p/down.sql", missing="/p/down.sql")).why_not == (
        "the revert script /p/down.sql is not there",
    )
    assert way(Means(script="/p/down.sql")).feasible
