from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain import sql
from migconsole.domain.checklist import Answer, Check, Danger, Job, Manual, Run, Sql, Step
from migconsole.domain.danger import assess, classify, classify_job, classify_shell
from migconsole.domain.shell import UnreadableError, commands

READ = [
    r'psql $DATABASE_URL -c "\dt"',
    r'psql "$DATABASE_URL" -XAtc "SELECT count(*) FROM budgets"',
    "psql -X -v ON_ERROR_STOP=1 --command='SELECT 1; SHOW work_mem' -d app",
    "psql -l",
    "npx prisma migrate status",
    "npx --no-install prisma migrate status --schema prisma/schema.prisma",
    "alembic current",
    "alembic history --verbose",
    "dbmate status",
    "flyway info",
    "sqitch status db:pg:app",
    "redis-cli ping",
    "pg_dump -Fd -j 2 -f out",
    "pg_restore --list out",
    "pg_isready -q && echo up || echo down",
    "df -h /var/lib/postgresql | tail -1",
    'test -s "$file" && [ "$(wc -c < "$file")" -gt 100 ]',
    'for f in *.sql; do sha256sum "$f"; done',
    "if pg_isready; then\n  echo ok # all is well\nelse\n  exit 1\nfi",
    "set -euo pipefail\nPGOPTIONS='-c statement_timeout=5s' psql -c 'SELECT now()'",
    'name="$(date -u +%Y%m%dT%H%M%SZ)"\necho "$name"',
    "mv -n out.partial out",
    "systemctl status app",
    "kubectl get pods",
    "timeout 10 pg_isready",
    "ls >/dev/null 2>&1",
    "echo $((1 + 2)) ${x:-1} ${#y}",
    "(cd /srv && git status)",
    "echo one \\\n  two",
    "export TZ=UTC",
]
MUTATING = [
    "",
    "   # nothing but a comment",
    "./deploy.sh",
    "npx prisma migrate deploy",
    "npx prisma generate",
    "npx ts-node populate.ts",
    "redis-cli flushdb",
    "redis-cli $X get",
    "psql -f change.sql",
    "psql $URL < change.sql",
    'psql -c "$statement"',
    "psql",
    "psql -c 'UPDATE t SET a = 1'",
    "psql -c 'SELECT refresh_all()'",
    "psql -c 'SELECT * INTO x FROM y'",
    'psql -c "SELECT \\"Refresh\\"()"',
    "psql -c 'WITH d AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT 1'",
    "psql -c 'EXPLAIN ANALYZE SELECT 1'",
    r'psql -c "\! rm x"',
    r'psql -c "\i change.sql"',
    r'psql -c "\copy t from x"',
    r'psql -c "\echo `reboot`"',
    r"psql -c 'SELECT 1 \gexec'",
    "psql --fil=change.sql",
    "psql -Xofile -c 'SELECT 1'",
    "psql --output=x -c 'SELECT 1'",
    'bash -c "$stop_app"',
    'eval "$stop_app"',
    "$stop_app",
    "`stop`",
    "echo hi > file",
    "echo hi >> log",
    "cat <<EOF\nx\nEOF",
    "echo $(./deploy.sh)",
    'echo "$(./deploy.sh)"',
    "diff <(a) <(b)",
    "f() { ls; }; f",
    "[[ -s x ]] && ls",
    "ls; ./deploy.sh",
    "ls | xargs touch",
    "ls & ./deploy.sh &",
    "sudo ls",
    "env ls",
    "PATH=. ls",
    "export PATH=.",
    "LD_PRELOAD=./x.so ls",
    "printf -v PATH .",
    "awk '{system($1)}' f",
    "sed -i s/a/b/ f",
    "sort -o f f",
    "sort -uo f f",
    "find . -exec touch {} +",
    "date -s 10:00",
    "hostname new",
    "mv a b",
    "mv -nf a b",
    "rm file",
    "uniq in out",
    "pg_restore -d app dump",
    "systemctl stop app",
    "git log --output=f",
    "case $x in a) ls;; esac",
    "ls )",
    "echo 'unclosed",
    'echo "unclosed',
    "(ls",
    "x=$(ls",
    "/tmp/psql -l",
    "./psql -l",
    "for f in $(./deploy.sh); do ls; done",
]
DESTRUCTIVE = [
    "dropdb fulfillment_ops_db",
    "dropdb --force app",
    "psql -c 'DROP TABLE budgets'",
    'psql -c "drop   database app"',
    "psql -c 'TRUNCATE budgets'",
    "psql -c 'DELETE FROM budgets'",
    "psql -c 'ALTER TABLE t DROP COLUMN c'",
    "rm -r backups",
    "rm -f -r backups",
    "rm -Rf backups",
    "rm --recursive x",
    "pg_restore --clean -d app dump",
    "pg_restore -d app -c dump",
    "pg_restore -cd app dump",
    "redis-cli flushall",
    "redis-cli FLUSHALL",
    "npx prisma migrate reset",
    "npx prisma db push --accept-data-loss",
    "git push --force",
    "npx prisma migrate deploy --force",
    "alembic downgrade -1",
    "python manage.py flush",
    "dbmate drop",
    "flyway clean",
    "bash -c 'rm -rf /srv/x'",
    "ls && dropdb app",
    "cat <<EOF | psql\nDROP TABLE x;\nEOF",
    "truncate -s 0 file",
    "dd if=/dev/zero of=/dev/sda",
    "dropdb \\\n  app",
    'echo " # " && dropdb app',
    "find /srv -name x -delete",
    "kubectl delete pod x",
]


@pytest.mark.parametrize("script", READ)
def test_scripts_that_provably_read(script: str) -> None:
    assert assess(Step(Run(script))).reason == "every command in it only reads"
    assert classify_shell(script) is Danger.READ


@pytest.mark.parametrize("script", MUTATING)
def test_what_is_not_known_to_read_is_mutating(script: str) -> None:
    assert classify_shell(script) is Danger.MUTATING


@pytest.mark.parametrize("script", DESTRUCTIVE)
def test_signs_of_destruction(script: str) -> None:
    assert classify_shell(script) is Danger.DESTRUCTIVE
    assert "it says" in assess(Step(Run(script))).reason


@pytest.mark.parametrize("script", ["psql -c 'ALTER TABLE t ALTER c DROP NOT NULL'", "echo backdrop", "ls drop_zone"])
def test_no_destruction_is_seen_where_there_is_none(script: str) -> None:
    assert classify_shell(script) is not Danger.DESTRUCTIVE


def test_whole_line_comments_are_no_signs() -> None:
    assert classify_shell("# before: dropdb app\nls") is Danger.READ


@pytest.mark.parametrize(
    ("script", "declared", "result"),
    [
        ("ls", None, Danger.READ),
        ("ls", Danger.DESTRUCTIVE, Danger.DESTRUCTIVE),
        ("ls", Danger.MUTATING, Danger.MUTATING),
        ("./x.sh", Danger.READ, Danger.MUTATING),
        ("dropdb x", Danger.READ, Danger.DESTRUCTIVE),
        ("dropdb x", Danger.MUTATING, Danger.DESTRUCTIVE),
    ],
)
def test_an_author_raises_and_never_lowers(script: str, declared: Danger | None, result: Danger) -> None:
    assert classify(Step(Run(script), danger=declared)) is result


def test_a_hook_is_as_dangerous_as_the_command_in_it() -> None:
    step = Step(Run('eval "${clear_caches:?}"', hook="clear_caches"))
    assert classify(step) is Danger.MUTATING
    assert classify(step, hook="redis-cli flushall") is Danger.DESTRUCTIVE
    assert classify(step, hook="redis-cli ping") is Danger.READ


def test_the_other_actions() -> None:
    assert classify(Step(Manual())) is classify(Step(Answer("text", "?"))) is classify(Step(Check("x"))) is Danger.READ
    assert classify(Step(Job("backup"))) is Danger.READ
    assert classify(Step(Job("restore"))) is classify_job("purge") is Danger.DESTRUCTIVE
    assert classify_job("something new") is Danger.MUTATING
    assert classify(Step(Sql(("SELECT 1",)))) is Danger.READ


@pytest.mark.parametrize(
    ("statement", "danger"),
    [
        ("SELECT count(*) FROM t", Danger.READ),
        ("SELECT my_report()", Danger.READ),
        ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity", Danger.MUTATING),
        ("SELECT pg_catalog.pg_reload_conf ()", Danger.MUTATING),
        ("SELECT pg_drop_replication_slot('x')", Danger.DESTRUCTIVE),
        ("SELECT 'pg_reload_conf()'", Danger.READ),
    ],
)
def test_queries_act_only_through_functions(statement: str, danger: Danger) -> None:
    assert classify(Step(Sql(("SELECT 1", statement)))) is danger


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "select 1;",
        "-- a comment\nSELECT 1 /* ; /* nested ; */ */",
        "(SELECT 1) UNION (SELECT 2)",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "VALUES (1)",
        "TABLE budgets",
        "SHOW server_version",
        "SELECT ';' AS \"a;b\", $$;$$, $t$ ; $t$, E'\\';'",
    ],
)
def test_one_query_is_one_query(statement: str) -> None:
    assert sql.query_problem(statement) == ""


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("", "no statement"),
        ("-- only a comment", "no statement"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("COPY t TO PROGRAM 'sh'", "begins with COPY"),
        ("EXPLAIN ANALYZE DELETE FROM t", "begins with EXPLAIN"),
        ("\\dt", "begins with"),
        ("SELECT 'x", "never closed"),
        ("SELECT 1 /* x", "never closed"),
        ("SELECT $a$ x", "never closed"),
    ],
)
def test_anything_else_says_why(statement: str, problem: str) -> None:
    assert problem in sql.query_problem(statement)


def test_commands_of_a_script() -> None:
    found = commands("a 'b c' && x=1 d \"e $(f g) h\" | i # j\n(k; l) & m\\ n 'it'\"'\"'s'")
    assert [[word.text for word in command] for command in found] == [
        ["a", "b c"],
        ["f", "g"],
        ["x=1", "d", "e  h"],
        ["i"],
        ["k"],
        ["l"],
        ["m n", "it's"],
    ]


@given(st.text(alphabet="ab $(){}'\"\\`;&|<>#\n=-", max_size=60))
def test_any_script_is_read_or_refused(script: str) -> None:
    try:
        commands(script)
    except UnreadableError:
        assert classify_shell(script) is not Danger.READ
    classify_shell(script)


@given(st.sampled_from(DESTRUCTIVE), st.sampled_from(READ), st.sampled_from([" && ", "; ", "\n", " | "]))
def test_destruction_is_seen_beside_anything(bad: str, good: str, between: str) -> None:
    assert classify_shell(bad + between + good) is Danger.DESTRUCTIVE
    assert classify_shell(good + between + bad) is Danger.DESTRUCTIVE


def test_deep_nesting_is_refused_quickly() -> None:
    assert classify_shell("(" * 100_000) is Danger.MUTATING
    assert classify_shell("$(" * 100_000) is Danger.MUTATING
