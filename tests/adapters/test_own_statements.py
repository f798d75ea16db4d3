"""The console's own statements, on real servers: every one is told from others, and no one else's is taken for ours."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from migconsole.adapters.postgres import queries
from migconsole.adapters.postgres.checks import CHECKS
from migconsole.adapters.postgres.connect import prepared
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.probes.capabilities import variants
from migconsole.adapters.postgres.probes.capture import capture
from migconsole.adapters.postgres.probes.catalogue import PROBES, Tier
from migconsole.adapters.postgres.target import resolve_target
from migconsole.domain.own_statements import MARK, is_own, left_out, marked, own_numbers, signed
from migconsole.domain.regression import compare
from migconsole.domain.snapshots import Span
from migconsole.engine.comparing import Moments
from tests.adapters import probes_harness as harness
from tests.adapters.test_performance_checks import ONE, RECENT, SCHEMA, Past, short, work
from tests.conftest import Database

__all__ = ["short"]

PERSONS = "SELECT count(*) AS cheap FROM orders WHERE total < 10"
"""What a checklist asks, as it is written there."""

EVERYBODYS = re.compile(r"(BEGIN|COMMIT|ROLLBACK|RESET|SET|DISCARD|DEALLOCATE)\b", re.IGNORECASE)
"""Commands that a server counts as one whoever sends them: they are not marked, and stay listed."""

TRIAL_DUMP = "backup_tools"
"""The check that runs pg_dump, which is work of the run."""


async def listed(url: str) -> list[str]:
    """The texts of this database's statements, as they are kept."""
    look = await asyncpg.connect(url, statement_cache_size=0)
    try:
        rows = await look.fetch(
            "SELECT query FROM pg_stat_statements"
            " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return [row["query"] for row in rows]
    finally:
        await look.close()


async def asks_everything(database: Database, project: Path, checks: Sequence[str]) -> None:
    """What a console and its watcher ask in the course of a run, and what a checklist asks through them."""
    async with harness.opened(database.url) as probes:
        for _ in range(2):
            await probes.run_pulse()
            for probe in PROBES:
                if probe.tier is not Tier.PULSE:
                    await probes.run_probe(probe.name, gate=True)
            await probes.texts(())
    past = Past(project)
    past.when = Moments(time.time() - 1, time.time() - 1)
    console = PostgresDatabase(resolve_target(database.url, environment={}), project=project, past=past)
    try:
        await console.identity()
        for name in checks:
            await console.check(name, {"tables": ["orders"]} if name == "tables_exist" else {})
        await console.query([PERSONS], limit=5.0, lock_timeout=1.0)
    finally:
        await console.close()


async def told_apart(database: Database, project: Path) -> None:
    """Everything of ours is marked, a checklist's own text is exactly the person's, the application's is untouched."""
    database.psql(SCHEMA)
    database.psql("SELECT pg_stat_statements_reset()")
    await work(database.url, 3)
    await asks_everything(database, project, [name for name in CHECKS if name != TRIAL_DUMP])
    texts = await listed(database.url)
    own = [text for text in texts if is_own(text)]
    assert len(own) > 40
    others = {text for text in texts if MARK not in text and not EVERYBODYS.match(text)}
    wanted = {RECENT, ONE, PERSONS, "SELECT pg_stat_statements_reset()"}
    assert {_plain(text) for text in others} == {_plain(text) for text in wanted}


def _plain(text: str) -> str:
    """With constants as the server writes them."""
    return re.sub(r"(\$\d+|\b\d+\b)", "?", text)


def test_every_query_has_it_once_and_no_other_comment() -> None:
    texts = [text for name in queries.names() for text in queries.every(name)]
    texts += [variant.text for those in variants().values() for variant in those]
    for text in texts:
        assert is_own(text)
        assert text.count("/*") == 1
        assert "\n--" not in text


async def test_nothing_of_ours_is_taken_for_the_applications(database: Database, tmp_path: Path, short: None) -> None:
    await told_apart(database, tmp_path)


@pytest.mark.matrix
async def test_nothing_of_ours_is_taken_for_the_applications_on_any_version(
    matrix_database: Database, tmp_path: Path, short: None
) -> None:
    await told_apart(matrix_database, tmp_path)


async def every_form_keeps_the_mark(database: Database) -> None:
    """Prepared, through a cursor, declared, and as a part of a string of several."""
    database.psql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements; CREATE TABLE t (a int)")
    app = await asyncpg.connect(database.url, statement_cache_size=0)
    try:
        await (await prepared(app, marked("SELECT avg(a), 5 FROM t WHERE a = $1"))).fetch(3)
        await app.fetch(marked("WITH q AS (SELECT 1 AS b) SELECT q.b, 7 FROM q"))
        async with app.transaction():
            cursor = await (await app.prepare(marked("SELECT a + 1 FROM t"))).cursor()
            await cursor.fetch(3)
            await app.execute(f"DECLARE c CURSOR FOR {marked('SELECT a * 2 FROM t')}; FETCH 3 FROM c; CLOSE c")
        await app.execute(f"{marked('SELECT a / 3 FROM t')}; {marked('SELECT a - 4 - 5 FROM t')}; SELECT a % 6 FROM t")
    finally:
        await app.close()
    texts = [" ".join(text.split()) for text in await listed(database.url)]
    for sign in ("avg(a)", "q.b", "a + ", "a * ", "a / ", "a - "):
        assert [is_own(text) for text in texts if sign in text] == [True], sign
    assert [is_own(text) for text in texts if "a % " in text] == [False]


async def test_every_form_keeps_the_mark(database: Database) -> None:
    await every_form_keeps_the_mark(database)


@pytest.mark.matrix
async def test_every_form_keeps_the_mark_on_any_version(matrix_database: Database) -> None:
    await every_form_keeps_the_mark(matrix_database)


@pytest.mark.matrix
async def test_a_question_that_anybody_asks_is_counted_apart(matrix_database: Database) -> None:
    """The first to ask gives a statement its text, so ours must have a number of its own."""
    matrix_database.psql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    questions = ("SELECT 1", "SELECT", "SELECT pg_backend_pid()", "SELECT set_config('search_path', $1, false)")
    app = await asyncpg.connect(matrix_database.url, statement_cache_size=0)
    try:
        for question in questions:
            arguments = ["public"] if "$1" in question else []
            await app.fetch(signed(question), *arguments)
            await app.fetch(question, *arguments)
        rows = await app.fetch(
            "SELECT queryid, query FROM pg_stat_statements"
            " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    finally:
        await app.close()
    texts = {row["queryid"]: row["query"] for row in rows}
    assert sum(is_own(text) for text in texts.values()) == len(questions)
    assert sum("pg_backend_pid" in text for text in texts.values()) == 2
    assert sum("set_config" in text for text in texts.values()) == 2


async def test_a_trial_dump_stays_listed(database: Database, tmp_path: Path) -> None:
    database.psql(SCHEMA)
    await asks_everything(database, tmp_path, [TRIAL_DUMP])
    assert any(
        "pg_catalog.pg_get_viewdef" in text or "FROM pg_init_privs" in text for text in await listed(database.url)
    )


async def test_a_comparison_is_of_the_application_alone(database: Database) -> None:
    """Also where the monitor asks more often than the application does, and of what was not yet known to be ours."""
    database.psql(SCHEMA)
    target = resolve_target(database.url, environment={})
    await work(database.url, 60)
    first = await capture(target)
    await work(database.url, 60)
    second = await capture(target)
    await work(database.url, 60)
    third = await capture(target)
    found = compare(Span(first, second), Span(second, third))
    assert {_plain(change.text) for change in found.steady} | {_plain(one.text) for one in found.regressed} | {
        _plain(one.text) for one in found.improved
    } == {_plain(RECENT), _plain(ONE)}
    assert not [one.text for one in (*found.new, *found.vanished, *found.unknown) if is_own(one.text)]
    own = found.own[1]
    assert own.statements
    assert own.whole == pytest.approx(own.total + second_total(found.after))
    assert re.fullmatch(r"migconsole's own are left out: \d+ statements, \d+\.\d% of the time", left_out(own))


def second_total(span: Span) -> float:
    """Milliseconds of the application."""
    return span.statements().total


async def test_one_that_comes_later_is_learned(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that runs for the first time after the texts were read, though no statement that is shown lacks one."""
    database.psql(SCHEMA)
    async with harness.opened(database.url) as probes:
        rows = (await probes.run_probe("pgss_delta")).rows
        numbers = [str(row["queryid"]) for row in rows]
        known = own_numbers(await probes.texts((), numbers))
        loads = probes.probe._texts_loads
        assert own_numbers(await probes.texts((), numbers)) == known
        assert probes.probe._texts_loads == loads, "nothing new, so the texts are not read again"
        await PostgresDatabase(resolve_target(database.url, environment={})).check("connections", {})
        now = [str(row["queryid"]) for row in (await probes.run_probe("pgss_delta")).rows]
        assert own_numbers(await probes.texts((), now)) > known
        again = [*now, "1"]
        probes.probe._texts_loads = 99
        loads = probes.probe._texts_loads
        await probes.texts((), again)
        assert probes.probe._texts_loads == loads, "at most every five minutes"
