"""One parser for everything that describes a target, and errors that give nothing of it away."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.secrets import Secret
from migconsole.domain.target import (
    Settings,
    Target,
    TargetURLError,
    build_target,
    choose_direct,
    combine,
    from_environment,
    parse,
    parse_service,
    passfile_password,
    pooler_reason,
)


def target(url: str, **options: str) -> Target:
    return build_target(
        parse(url), default_user="login", default_host="/run/postgresql", original={"DATABASE_URL": url}
    )


@pytest.mark.parametrize(
    ("url", "host", "port", "database", "user", "password"),
    [
        ("postgresql://u:p@db1:5433/app", "db1", 5433, "app", "u", "p"),
        ("postgres://u@db1/app", "db1", 5432, "app", "u", None),
        ("POSTGRESQL://db1/app", "db1", 5432, "app", "login", None),
        ("postgresql+asyncpg://u:p@db1/app", "db1", 5432, "app", "u", "p"),
        ("postgresql://u:p%40ss%2F%3A%3F%23%25@db1/app", "db1", 5432, "app", "u", "p@ss/:?#%"),
        ("postgresql://u:a:b@db1/app", "db1", 5432, "app", "u", "a:b"),
        ("postgresql://u:p@[::1]:6000/app", "::1", 6000, "app", "u", "p"),
        ("postgresql://u:p@[fe80::1%25eth0]/app", "fe80::1%eth0", 5432, "app", "u", "p"),
        ("postgresql:///app?host=/tmp/pg&port=7000", "/tmp/pg", 7000, "app", "login", None),
        ("postgresql://u@%2Ftmp%2Fpg/app", "/tmp/pg", 5432, "app", "u", None),
        ("postgresql://u@%2Ftmp%2Fpg:7000/app", "/tmp/pg", 7000, "app", "u", None),
        ("postgresql://u@localhost/app?host=/tmp/pg", "/tmp/pg", 5432, "app", "u", None),
        ("postgresql:///app", "/run/postgresql", 5432, "app", "login", None),
        ("postgresql://db1?dbname=app&user=u&password=p%26q", "db1", 5432, "app", "u", "p&q"),
        ("host=db1 dbname=app user=u password='it\\'s a'", "db1", 5432, "app", "u", "it's a"),
        ("  postgresql://u:p@db1/app\n", "db1", 5432, "app", "u", "p"),
        ("postgresql://u@db1/My%20App%2F2", "db1", 5432, "My App/2", "u", None),
    ],
)
def test_forms(url: str, host: str, port: int, database: str, user: str, password: str | None) -> None:
    parsed = target(url)
    assert (parsed.host, parsed.port, parsed.database, parsed.user) == (host, port, database, user)
    assert (parsed.password.reveal() if parsed.password else None) == password


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is empty"),
        ('"postgresql://u:p@h/d"', "quotation mark"),
        ("db1", "not a connection URL"),
        ("mysql://u:p@h/d", "not a PostgreSQL URL"),
        ("prisma://accelerate.example.com/?api_key=x", "DIRECT_URL"),
        ("prisma+postgres://h/?api_key=x", "DIRECT_URL"),
        ("jdbc:postgresql://h/d", "JDBC"),
        ("postgresql://u:p@h1,h2/d", "more than one host"),
        ("postgresql://u:p@h1:1,h2:2/d", "more than one host"),
        ("postgresql://u:p@/d?host=h1,h2", "more than one host"),
        ("postgresql://u:p@ss@h/d", "%40"),
        ("postgresql://u:p/ss@h/d", "%2F"),
        ("postgresql://u:p?ss@h/d", "%3F"),
        ("postgresql://u:p#ss@h/d", "%23"),
        ("postgresql://u:100%sure@h/d", "%25"),
        ("postgresql://u:p%FF@h/d", "UTF-8"),
        ("postgresql://u:p%00@h/d", "zero byte"),
        ("postgresql://u:p ss@h/d", "white space"),
        ("postgresql://u:p@h:http/d", "from 1 to 65535"),
        ("postgresql://u:p@h:0/d", "from 1 to 65535"),
        ("postgresql://u:p@h:65536/d", "from 1 to 65535"),
        ("postgresql://u:p@::1/d", "[brackets]"),
        ("postgresql://u:p@[::zz]/d", "IPv6"),
        ("postgresql://u:p@[::1/d", "IPv6"),
        ("postgresql://u:p@h/d/e", "more than one '/'"),
        ("postgresql://u:p@h/", "names no database"),
        ("postgresql://u:p@h", "names no database"),
        ("postgresql://u:p@h/d?sslmode=sure", "sslmode"),
        ("postgresql://u:p@h/d?colour=red", "unknown name in parameter 1 of 1"),
        ("postgresql://u:p@h/d?sslmode=require&sslmode=disable", "twice"),
        ("postgresql://u:p@h/d?sslmode", "no '='"),
        ("postgresql://u:p@h/d?hostaddr=10.0.0.1", "hostaddr"),
        ("postgresql://u:p@h/d?connect_timeout=soon", "connect_timeout"),
        ("postgresql://u:p@h!/d", "host"),
        ("host=db1 dbname='app", "cannot be read at setting 2"),
    ],
)
def test_refusals_name_the_part_and_the_remedy(url: str, words: str) -> None:
    with pytest.raises(TargetURLError) as caught:
        target(url)
    assert words in str(caught.value)


# No message contains these letters and digits in capitals, so a hit can only come from the password.
PASSWORDS = st.text(st.sampled_from("QXZJ0189@:/?#%&=[]+,"), min_size=4, max_size=20)
SHAPES = [
    "postgresql://user:{}@db1:5432/app",
    "postgres://user:{}@/app?host=/tmp/pg",
    "postgresql://db1/app?user=user&password={}",
    "postgresql://user:{}",
    "host=db1 dbname=app password={}",
    "prisma://{}",
    "{}",
]


@given(password=PASSWORDS, shape=st.sampled_from(SHAPES))
def test_no_piece_of_a_password_is_in_an_error_or_a_repr(password: str, shape: str) -> None:
    text = shape.format(password)
    try:
        parsed = parse(text)
        result = build_target(parsed, default_user="login")
    except TargetURLError as error:
        shown = "".join(traceback.format_exception(error)) + repr(error)
    else:
        # A password's pieces may be part of a host or a database here: only its own value is looked for.
        secret = result.password.reveal() if result.password else ""
        shown = "" if len(secret) < 4 else repr(result.password) + repr(parsed)
        password = secret
    for start in range(len(password) - 3):
        assert password[start : start + 4] not in shown


def test_nothing_shows_the_password_of_a_good_url() -> None:
    result = target("postgresql://u:s3cr%40tpass@db1/app?sslmode=require&sslpassword=keysecret")
    shown = f"{result!r} {result.display} {result.url} {result.child_environment()} {result.name}"
    for piece in ("s3cr", "tpass", "keysecret"):
        assert piece not in shown
    assert result.child_secrets() == {"PGPASSWORD": Secret("s3cr@tpass")}
    assert {secret.reveal() for secret in result.secrets()} >= {"s3cr@tpass", "keysecret"}


def test_prisma_parameters_are_understood_or_listed_as_dropped() -> None:
    result = target(
        "postgresql://u:p@db1/app?schema=sales&connection_limit=5&pool_timeout=3&pgbouncer=true&socket_timeout=9"
        "&statement_cache_size=0&max_connection_lifetime=1&max_idle_connection_lifetime=1"
    )
    assert result.search_path == "sales"
    assert result.pooler == "pgbouncer=true says so"
    assert {entry.name for entry in result.dropped} == {
        "connection_limit",
        "pool_timeout",
        "socket_timeout",
        "statement_cache_size",
        "max_connection_lifetime",
        "max_idle_connection_lifetime",
    }
    assert result.url == "postgresql://u@db1:5432/app"
    assert "sales" not in str(result.child_environment()), "pg_dump must not be given a search path"


@pytest.mark.parametrize(
    ("query", "mode", "root", "cert"),
    [
        ("", "prefer", "", ""),
        ("?sslmode=verify-full&sslrootcert=ca.pem", "verify-full", "ca.pem", ""),
        ("?sslmode=require&sslcert=me.pem&sslkey=me.key", "require", "", "me.pem"),
        ("?sslaccept=strict&sslcert=ca.pem", "verify-full", "ca.pem", ""),
        ("?sslmode=require&sslaccept=accept_invalid_certs", "require", "", ""),
        ("?ssl=true", "require", "", ""),
        ("?ssl=false", "disable", "", ""),
        ("?sslmode=no-verify", "require", "", ""),
    ],
)
def test_tls(query: str, mode: str, root: str, cert: str) -> None:
    result = target(f"postgresql://u@db1/app{query}")
    assert (result.sslmode, result.sslrootcert, result.sslcert) == (mode, root, cert)


def test_an_identity_file_is_dropped_with_its_password() -> None:
    result = target("postgresql://u@db1/app?sslidentity=me.p12&sslpassword=secret99&sslaccept=strict")
    assert result.sslpassword is None
    assert [entry.name for entry in result.dropped] == ["sslidentity"]


def test_children_get_the_one_server_whatever_they_read() -> None:
    result = target(
        "postgresql://u:p@[::1]:6000/My%20App?sslmode=require&options=-c%20work_mem%3D1MB&channel_binding=require"
    )
    assert result.child_environment() == {
        "PGHOST": "::1",
        "PGPORT": "6000",
        "PGDATABASE": "My App",
        "PGUSER": "u",
        "PGSSLMODE": "require",
        "PGOPTIONS": "-c work_mem=1MB",
        "PGCHANNELBINDING": "require",
        "DATABASE_URL": "postgresql://u@[::1]:6000/My%20App?sslmode=require",
    }
    socket = target("postgresql://u@/app?host=/tmp/my pg".replace(" ", "%20"))
    assert socket.url == "postgresql://u@/app?host=%2Ftmp%2Fmy%20pg&port=5432"


@pytest.mark.parametrize(
    "url",
    ["postgresql://u@[::1]:6000/a%2Fb", "postgresql://u%40x@/d?host=/tmp/pg", "postgresql://u@h/d?sslmode=require"],
)
def test_the_clean_url_means_the_same_target(url: str) -> None:
    first = target(url)
    again = target(first.url)
    assert (again.host, again.port, again.database, again.user, again.sslmode) == (
        first.host,
        first.port,
        first.database,
        first.user,
        first.sslmode,
    )


def test_environment_fills_what_the_url_does_not_say() -> None:
    merged, notes = combine(
        parse("postgresql://db1/app"),
        from_environment(
            {"PGPASSWORD": "pw", "PGUSER": "ops", "PGHOST": "other", "PGPORT": "9", "PGHOSTADDR": "10.0.0.9"}
        ),
    )
    result = build_target(merged, notes=notes)
    assert (result.host, result.port, result.user) == ("db1", 5432, "ops")
    assert result.password == Secret("pw")
    assert len(result.notes) == 3, "a host, port and address left in the environment are named, not followed"


def test_environment_alone_is_a_target() -> None:
    result = build_target(from_environment({"PGHOST": "db2", "PGPORT": "5433", "PGDATABASE": "app", "PGUSER": "u"}))
    assert result.name == "app@db2:5433"


def test_a_bad_variable_is_named_and_not_quoted() -> None:
    with pytest.raises(TargetURLError) as caught:
        from_environment({"PGPORT": "s3cret"})
    assert "PGPORT" in str(caught.value)
    assert "s3cret" not in str(caught.value)


SERVICES = """
# teams
[staging]
host=staging
[prod]
host=db1
port=5433
dbname=app
user=deploy
password=a=b
sslmode=verify-full
[late]
host=db9
"""


def test_service_file() -> None:
    found = parse_service(SERVICES, "prod")
    assert found is not None
    result = build_target(found)
    assert (result.name, result.user, result.sslmode) == ("app@db1:5433", "deploy", "verify-full")
    assert result.password == Secret("a=b")
    assert parse_service(SERVICES, "none") is None


@pytest.mark.parametrize("line", ["secretword", "service=other", "nonsense=1"])
def test_service_file_errors_name_the_line(line: str) -> None:
    with pytest.raises(TargetURLError) as caught:
        parse_service(f"[x]\nhost=h\n{line}\n", "x")
    assert "line 3" in str(caught.value)
    assert "secretword" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "port", "database", "user", "password"),
    [
        ("db1", 5432, "app", "u", "first"),
        ("db1", 5433, "app", "u", "any:port"),
        ("db2", 1, "we:ird", "u", "back\\slash"),
        ("localhost", 1, "app", "u", "socket"),
        ("db3", 1, "app", "u", None),
    ],
)
def test_passfile(host: str, port: int, database: str, user: str, password: str | None) -> None:
    text = (
        "#c\ndb1:5432:app:u:first\ndb1:*:app:*:any\\:port\ndb2:*:we\\:ird:u:back\\\\slash\nbroken\n"
        "localhost:*:*:*:socket\n"
    )
    assert passfile_password(text, host, port, database, user) == password


@pytest.mark.parametrize(
    ("host", "port", "suspect"),
    [
        ("db1", 5432, False),
        ("db1", 6432, True),
        ("db1", 6543, True),
        ("pgbouncer", 5432, True),
        ("pgbouncer-0.svc", 5432, True),
        ("aws-0-eu.pooler.example.com", 5432, True),
        ("ep-calm-1-pooler.eu.example.com", 5432, True),
        ("spooler-db", 5432, False),
        ("/run/pgbouncer", 5432, False),
    ],
)
def test_pooler_suspicion(host: str, port: int, suspect: bool) -> None:
    assert bool(pooler_reason(host, port)) is suspect


def direct(database: str, other: str) -> Target:
    return choose_direct(target(database), build_target(parse(other, "DIRECT_URL"), original={"DIRECT_URL": other}))


@pytest.mark.parametrize(
    ("database", "other", "host"),
    [
        ("postgresql://u:p@pgbouncer:6432/app?schema=s", "postgresql://u:p@db1/app", "db1"),
        (
            "postgresql://u:p@ep-1-pooler.eu.example.com/app",
            "postgresql://u:p@ep-1.eu.example.com/app",
            "ep-1.eu.example.com",
        ),
        (
            "postgresql://postgres.ref:p@aws.pooler.supabase.com:6543/app",
            "postgresql://postgres:p@db.ref.supabase.co/app",
            "db.ref.supabase.co",
        ),
        ("postgresql://u:p@db1:5433/app", "postgresql://u:p@db1:5432/app", "db1"),
        ("postgresql://u:p@db1/app", "postgresql://u:p@db1/app?schema=x", "db1"),
    ],
)
def test_direct_url_is_used_for_the_same_database(database: str, other: str, host: str) -> None:
    chosen = direct(database, other)
    assert (chosen.host, chosen.port) == (host, 5432)
    assert set(chosen.originals) == {"DATABASE_URL", "DIRECT_URL"}
    assert chosen.originals["DIRECT_URL"].reveal() == other


@pytest.mark.parametrize(
    ("database", "other"),
    [
        ("postgresql://u:p@pgbouncer:6432/app", "postgresql://u:p@db1/app2"),
        ("postgresql://u:p@pooler.prod.example.com/app", "postgresql://u:p@db.staging.example.com/app"),
        ("postgresql://u:p@db1/app", "postgresql://u:p@db2/app"),
        ("postgresql://u:p@db1.example.com/app", "postgresql://u:p@db1.example.org/app"),
    ],
)
def test_direct_url_of_another_target_is_refused(database: str, other: str) -> None:
    with pytest.raises(TargetURLError, match="DIRECT_URL"):
        direct(database, other)


def test_a_pooled_target_keeps_both_addresses() -> None:
    chosen = direct("postgresql://u:p@pgbouncer:6432/app?schema=s", "postgresql://u:p@db1/app")
    assert chosen.pooled is not None
    assert chosen.pooled.name == "app@pgbouncer:6432"
    assert chosen.search_path == "s"
    assert "pgbouncer:6432" in chosen.notes[-1]


def test_settings_hide_their_values() -> None:
    assert "hunter2" not in repr(Settings("x", {"password": "hunter2"}))
