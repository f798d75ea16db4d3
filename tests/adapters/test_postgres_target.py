"""Finding the target, and what is said when it cannot be reached: always a remedy, never a secret."""

from __future__ import annotations

import asyncio
import shutil
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest

from migconsole.adapters.postgres import connect as connecting
from migconsole.adapters.postgres.connect import Purpose, session
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.failures import connecting as explain
from migconsole.adapters.postgres.target import resolve_target
from migconsole.demo.server import EmbeddedServer, free_port
from migconsole.domain.secrets import Secret
from migconsole.domain.target import Target
from migconsole.engine.ports import ServerIdentity
from migconsole.errors import MigconsoleError, TargetError, UsageError
from tests import trees
from tests.conftest import Database

PURPOSE = Purpose("test", 2.0)
SECRET = "xyzzy-Pl0ver/9"

HBA = """
local all postgres trust
host all postgres 127.0.0.1/32 trust
host all secure 127.0.0.1/32 scram-sha-256
host all plain 127.0.0.1/32 trust
host all limited 127.0.0.1/32 trust
"""


@pytest.fixture(scope="module")
def secured() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(hba=HBA) as server:
        server.psql(
            f"CREATE ROLE secure LOGIN PASSWORD '{SECRET}'; CREATE ROLE plain LOGIN; CREATE ROLE stranger LOGIN;"
            "CREATE ROLE limited LOGIN CONNECTION LIMIT 0; CREATE DATABASE private; CREATE DATABASE closed;"
        )
        server.psql("REVOKE CONNECT ON DATABASE private FROM public; ALTER DATABASE closed ALLOW_CONNECTIONS false")
        yield server


async def refusal(target: Target) -> MigconsoleError:
    with pytest.raises(MigconsoleError) as caught:
        async with session(target, PURPOSE):
            pass
    assert caught.value.title
    assert caught.value.remedy
    for chain in (
        caught.value.__cause__,
        caught.value if caught.value.__suppress_context__ else caught.value.__context__,
    ):
        assert chain is None or "xyzzy" not in str(chain)
    return caught.value


def target(url: str, **environment: str) -> Target:
    return resolve_target(url, environment=environment)


# -- finding it --------------------------------------------------------------------------------------------------------


def test_nothing_given_is_refused_not_guessed() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_target(environment={})
    assert "DATABASE_URL" in caught.value.remedy


def test_a_bad_url_is_a_usage_error_that_quotes_nothing() -> None:
    with pytest.raises(UsageError) as caught:
        target("postgresql://u:pa@sszzz@db1/app")
    assert "sszzz" not in str(caught.value)
    assert "%40" in caught.value.remedy
    assert caught.value.__suppress_context__


def test_database_url_direct_url_and_prismas_service() -> None:
    pooled, direct = "postgresql://u:p@pgbouncer:6432/app", "postgresql://u:p@db1/app"
    assert resolve_target(environment={"DATABASE_URL": pooled, "DIRECT_URL": direct}).host == "db1"
    assert resolve_target(pooled, environment={"DATABASE_URL": pooled, "DIRECT_URL": direct}).host == "db1"
    assert (
        resolve_target("postgresql://u@db7/app", environment={"DATABASE_URL": pooled, "DIRECT_URL": direct}).host
        == "db7"
    )
    assert resolve_target(environment={"DATABASE_URL": "prisma://x/?api_key=1", "DIRECT_URL": direct}).host == "db1"
    assert resolve_target(environment={"DIRECT_URL": direct}).host == "db1"
    with pytest.raises(UsageError):
        resolve_target(environment={"DATABASE_URL": direct, "DIRECT_URL": "postgresql://u:p@db1/other"})


def test_service_and_password_files(clean_environment: Path) -> None:
    home = clean_environment
    (home / ".pg_service.conf").write_text("[prod]\nhost=db1\nport=5433\ndbname=app\nuser=deploy\n")
    passfile = home / ".pgpass"
    passfile.write_text(f"db1:5433:app:deploy:{SECRET}\n")
    passfile.chmod(0o600)
    environment = {"HOME": str(home), "PGSERVICE": "prod"}
    found = resolve_target(environment=environment)
    assert found.display == "app@db1:5433 as deploy"
    assert found.password == Secret(SECRET)
    passfile.chmod(0o644)
    found = resolve_target(environment=environment)
    assert found.password is None
    assert any("644" in note for note in found.notes)
    with pytest.raises(UsageError, match="not defined"):
        resolve_target(environment={**environment, "PGSERVICE": "none"})


def test_a_password_command_overrides(clean_environment: Path) -> None:
    found = resolve_target("postgresql://u:old@db1/app", environment={}, password=Secret("new"))
    assert found.password == Secret("new")


async def identified(found: Target) -> ServerIdentity:
    database = PostgresDatabase(found)
    try:
        return await database.identity()
    finally:
        await database.close()


def test_nothing_of_the_process_environment_reaches_the_session(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGHOST": "other", "PGPORT": "1", "PGDATABASE": "none", "PGPASSFILE": "/none"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "standby")
    identity = asyncio.run(identified(target(server.url())))
    assert identity.name == f"postgres@127.0.0.1:{server.port}"


# -- reaching it -------------------------------------------------------------------------------------------------------


async def test_session_settings_hold(database: Database) -> None:
    wanted = target(f"{database.url}?options=-c%20work_mem%3D1234kB&connect_timeout=5")
    async with session(wanted, Purpose("x", 1.5, 0.1, search_path='"My Schema"'), run="0123456789") as connection:
        shown = {
            name: await connection.fetchval(f"SHOW {name}")
            for name in ("application_name", "statement_timeout", "lock_timeout", "search_path", "work_mem")
        }
        assert shown == {
            "application_name": "migconsole/01234567/x",
            "statement_timeout": "1500ms",
            "lock_timeout": "100ms",
            "search_path": '"My Schema"',
            "work_mem": "1234kB",
        }
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("CREATE TABLE t (a int)")


async def test_a_unix_socket(server: EmbeddedServer) -> None:
    identity = await identified(target(f"postgresql://postgres@/postgres?host={server.base}&port={server.port}"))
    assert identity.name == f"postgres@{server.base}:{server.port}"
    assert identity.server_address == ""
    error = await refusal(target(f"postgresql://postgres@/postgres?host={server.base}&port=1"))
    assert "socket" in error.title


@pytest.mark.parametrize("password", ["", ":wrong-xyzzy"])
async def test_wrong_and_missing_password(secured: EmbeddedServer, password: str) -> None:
    error = await refusal(target(f"postgresql://secure{password}@127.0.0.1:{secured.port}/postgres"))
    assert ("wrong" in error.title) if password else ("none is known" in error.title)
    assert "xyzzy" not in str(error)


async def test_the_right_password(secured: EmbeddedServer) -> None:
    url = secured.url(user="secure", password=SECRET)
    assert (await identified(target(url))).user == "secure"


@pytest.mark.parametrize(
    ("user", "database", "words"),
    [
        ("postgres", "nothere", "There is no database nothere"),
        ("stranger", "postgres", "does not let stranger in"),
        ("plain", "private", "plain may not connect to private"),
        ("limited", "postgres", "no connection slot left"),
        ("postgres", "closed", "closed does not accept connections"),
    ],
)
async def test_refused_by_the_server(secured: EmbeddedServer, user: str, database: str, words: str) -> None:
    error = await refusal(target(f"postgresql://{user}@127.0.0.1:{secured.port}/{database}?sslmode=disable"))
    assert words in error.title or words in error.title.replace("without TLS", "")


async def test_tls_demanded_of_a_server_without_it(secured: EmbeddedServer) -> None:
    error = await refusal(target(f"{secured.url()}?sslmode=require"))
    assert "does not offer TLS" in error.title


async def test_refused_unknown_and_silent_hosts() -> None:
    error = await refusal(target(f"postgresql://u:{'q' * 9}@127.0.0.1:{free_port()}/app"))
    assert "refuses connections" in error.title
    error = await refusal(target("postgresql://u@no-such-host.invalid/app"))
    assert "is not known" in error.title
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        error = await refusal(target(f"postgresql://u@127.0.0.1:{port}/app?connect_timeout=2&sslmode=disable"))
    assert "does not answer" in error.title


def test_starting_up_is_said() -> None:
    says = asyncpg.CannotConnectNowError("the database system is starting up")
    error = explain(says, target("postgresql://u@db1/app"))
    assert "starting up" in error.title


async def test_certificate_files_that_are_not_there(server: EmbeddedServer) -> None:
    error = await refusal(target(f"{server.url()}?sslmode=verify-full&sslrootcert=/none/ca.pem"))
    assert "certificate file" in error.title
    error = await refusal(target(f"{server.url()}?sslmode=verify-full"))
    assert "authority's certificate" in error.title


# -- versions and poolers ----------------------------------------------------------------------------------------------


def test_older_than_11_by_its_refusal() -> None:
    error = asyncpg.UndefinedObjectError('unrecognized configuration parameter "jit"')
    assert "older than PostgreSQL 11" in explain(error, target("postgresql://u@db1/app")).title


async def test_older_than_11_by_its_version() -> None:
    old = SimpleNamespace(get_server_version=lambda: SimpleNamespace(major=10, minor=23))
    with pytest.raises(TargetError, match=r"older than PostgreSQL 11") as caught:
        await connecting._prove_direct(old, target("postgresql://u@db1/app"))
    assert "10.23" in caught.value.detail


@asynccontextmanager
async def pooler(server: EmbeddedServer, *, refuse: bytes = b"") -> AsyncIterator[int]:
    """A pooler as clients see one: a cancel key of its own, and start-up parameters that it may refuse."""

    async def relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, rewrite: bool) -> None:
        try:
            while True:
                head = await source.readexactly(5)
                body = await source.readexactly(struct.unpack("!I", head[1:])[0] - 4)
                if rewrite and head[:1] == b"K":
                    body = struct.pack("!I", 0x7FFFFFFF) + body[4:]
                sink.write(head + body)
                await sink.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = await reader.readexactly(4)
        startup = await reader.readexactly(struct.unpack("!I", length)[0] - 4)
        if refuse in startup and refuse:
            fields = b"SFATAL\0C08P01\0Munsupported startup parameter: " + refuse + b"\0\0"
            writer.write(b"E" + struct.pack("!I", len(fields) + 4) + fields)
            writer.close()
            return
        upstream_reader, upstream = await asyncio.open_connection(server.host, server.port)
        upstream.write(length + startup)
        await asyncio.gather(relay(reader, upstream, rewrite=False), relay(upstream_reader, writer, rewrite=True))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


@pytest.mark.parametrize("refuse", [b"", b"lock_timeout"])
async def test_a_pooler_is_found_out(server: EmbeddedServer, refuse: bytes) -> None:
    async with pooler(server, refuse=refuse) as port:
        error = await refusal(target(f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable"))
    assert "connection pooler" in error.title
    assert "DIRECT_URL" in error.remedy


async def test_a_server_on_a_poolers_port_is_not_refused(server: EmbeddedServer) -> None:
    suspected = target(f"{server.url()}?pgbouncer=true")
    assert suspected.pooler
    assert (await identified(suspected)).port == server.port


async def test_direct_url_is_compared_with_the_server_behind_the_pooler(
    server: EmbeddedServer, database: Database
) -> None:
    async with pooler(server, refuse=b"lock_timeout") as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/{database.name}?sslmode=disable&pgbouncer=true"
        found = resolve_target(environment={"DATABASE_URL": url, "DIRECT_URL": database.url})
        assert found.port == server.port
        assert found.pooled is not None
        result = await PostgresDatabase(found).check("target", {})
    assert result.judgement is True
    assert any("through its pooler to this same database" in line for line in result.lines)
    result = await PostgresDatabase(found).check("target", {})
    assert result.judgement is None, "a pooler that does not answer is no proof"


async def test_direct_url_to_another_server_is_a_failure(server: EmbeddedServer, secured: EmbeddedServer) -> None:
    async with pooler(secured) as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable&pgbouncer=true"
        found = resolve_target(environment={"DATABASE_URL": url, "DIRECT_URL": server.url()})
        result = await PostgresDatabase(found).check("target", {})
    assert result.judgement is False
    assert "leads to another database" in result.reason


# -- TLS ---------------------------------------------------------------------------------------------------------------


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make certificates with")
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    request = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    request += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    made = subprocess.run(request, capture_output=True, timeout=60, check=False)
    assert made.returncode == 0, made.stderr
    return certificate, key


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedServer, Path]]:
    tree = trees.present().get(17)
    if tree is None:
        pytest.skip(trees.absent_reason(17))
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = make_certificate(folder, "server")
    make_certificate(folder, "other")
    hba = "hostssl all postgres all trust\nhost all plain all trust\n"
    with EmbeddedServer(tree=tree) as server:
        for path in (certificate, key):
            copy = server.data / path.name
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o600)
            server._privilege.hand_over(copy)
        server.psql("CREATE ROLE plain LOGIN")
        (server.data / "pg_hba.conf").write_text(hba)
        server.settings |= {"ssl": "on"}
        server._configure()
        server.restart()
        yield server, certificate


@pytest.mark.parametrize(
    ("host", "query", "outcome"),
    [
        ("localhost", "?sslmode=verify-full&sslrootcert={ca}", True),
        ("127.0.0.1", "?sslmode=verify-ca&sslrootcert={ca}", True),
        ("127.0.0.1", "?sslmode=require", True),
        ("127.0.0.1", "", True),
        ("127.0.0.1", "?sslmode=verify-full&sslrootcert={ca}", "cannot be trusted"),
        ("127.0.0.1", "?sslmode=require&sslrootcert={other}", "cannot be trusted"),
        ("127.0.0.1", "?sslmode=disable", "without TLS, and sslmode=disable forbids it"),
    ],
)
async def test_tls(tls_server: tuple[EmbeddedServer, Path], host: str, query: str, outcome: bool | str) -> None:
    server, certificate = tls_server
    query = query.format(ca=certificate, other=certificate.with_name("other.crt"))
    wanted = target(f"postgresql://postgres@{host}:{server.port}/postgres{query}")
    if outcome is not True:
        error = await refusal(wanted)
        assert str(outcome) in error.title
        return
    async with session(wanted, PURPOSE) as connection:
        assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


async def test_tls_is_not_forced_where_it_is_disabled(tls_server: tuple[EmbeddedServer, Path]) -> None:
    server, _ = tls_server
    async with session(
        target(f"postgresql://plain@127.0.0.1:{server.port}/postgres?sslmode=disable"), PURPOSE
    ) as plain:
        assert not await plain.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
