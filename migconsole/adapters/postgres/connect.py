"""Sessions on the target: opened for one purpose with their limits set at the start, proven direct, closed after use.

Sessions in the target's own database do not linger: an idle one would stop a DROP or RENAME of that database.
"""

from __future__ import annotations

import itertools
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from migconsole.adapters.postgres import metering
from migconsole.adapters.postgres.failures import FAILURES, connecting, pooler_error, too_old
from migconsole.adapters.postgres.queries import OLDEST, load
from migconsole.domain.own_statements import signed
from migconsole.domain.target import Target
from migconsole.errors import UsageError

_NUMBERS = itertools.count(1)
_PID = signed("SELECT pg_backend_pid()")

Connection = Any
"""An ``asyncpg.Connection``; the library has no types."""

CONNECT_TIMEOUT = 10.0
"""Seconds to open a session when the URL does not say."""

MONITOR_LOCK_TIMEOUT = 0.1
"""Seconds a monitor waits for a lock: far below deadlock_timeout (1 s by default), so that it is never the other half
of a deadlock in which the migration dies."""

CLOSE_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a session is for: its name on the server and its limits in seconds, 0 for none.

    Every session is read-only but those of the steps that change something (``writes``). ``settings`` are set beside.
    """

    name: str
    statement_timeout: float
    lock_timeout: float = MONITOR_LOCK_TIMEOUT
    search_path: str = ""
    writes: bool = False
    idle_timeout: float = 5.0
    settings: Mapping[str, str] = field(default_factory=dict)


def _settings(target: Target, purpose: Purpose, run: str) -> dict[str, str]:
    settings = {
        "application_name": f"migconsole/{run[:8] or '-'}/{purpose.name}",
        "default_transaction_read_only": "off" if purpose.writes else "on",
        "statement_timeout": _milliseconds(purpose.statement_timeout),
        "lock_timeout": _milliseconds(purpose.lock_timeout),
        "idle_in_transaction_session_timeout": _milliseconds(purpose.idle_timeout),
        "jit": "off",
        **purpose.settings,
    }
    if purpose.search_path:
        settings["search_path"] = purpose.search_path
    if target.options:
        settings["options"] = target.options
    return settings


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)) if seconds else 0)


def quoted(name: str) -> str:
    """An identifier for SQL.

    >>> quoted('my "schema"')
    '"my ""schema""\"'
    """
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


async def connect(target: Target, purpose: Purpose, *, database: str = "", run: str = "") -> Connection:
    """Open a session in ``database`` (the target's own by default) and prove that no pooler stands in between.

    Everything is passed by keyword, nothing is left for the driver to take from the environment or a file. Raises
    TargetError or UsageError with a remedy.
    """
    began = time.perf_counter()
    try:
        connection = await _open(
            target,
            database=database or target.database,
            target_session_attrs=target.target_session_attrs or "any",
            server_settings=_settings(target, purpose, run),
        )
    except FAILURES as error:
        raise connecting(error, target) from None
    metering.follow(connection, time.perf_counter() - began, purpose.lock_timeout)
    try:
        await _prove_direct(connection, target)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _open(target: Target, **options: Any) -> Connection:
    return await asyncpg.connect(
        host=target.host,
        port=target.port,
        user=target.user,
        password=target.password.reveal() if target.password is not None else "",
        ssl=_tls(target),
        direct_tls=target.extra.get("sslnegotiation") == "direct",
        timeout=max(target.connect_timeout or CONNECT_TIMEOUT, 2.0),
        statement_cache_size=0,
        **options,
    )


async def _prove_direct(connection: Connection, target: Target) -> None:
    """A pooler hands out a cancel key of its own, so the process id it announced is not the backend's."""
    version = connection.get_server_version()
    if version.major < OLDEST // 10_000:
        raise too_old(f"{version.major}.{version.minor}")
    try:
        backend = await connection.fetchval(_PID)
    except FAILURES as error:
        raise connecting(error, target) from None
    if backend != connection.get_server_pid():
        raise pooler_error(target, "The session it announced is not the one that answers")


async def prepared(connection: Connection, text: str) -> Any:
    """A statement that is parsed and planned on the server once, so that asking it later needs no catalogue.

    It has to have a name: without one, and without a cache, the driver has the text parsed anew with each question.
    """
    return await connection.prepare(text, name=f"mc{next(_NUMBERS)}")


@asynccontextmanager
async def session(target: Target, purpose: Purpose, *, database: str = "", run: str = "") -> AsyncIterator[Connection]:
    """A session for the length of a ``with``; on the way out, cancelled or not, nothing of it stays on the server."""
    connection = await connect(target, purpose, database=database, run=run)
    try:
        yield connection
    finally:
        await retire(connection)


async def retire(connection: Connection) -> None:
    """Close a session, waiting shortly for a statement that was just cancelled; cut it off when it does not end."""
    try:
        await connection.close(timeout=CLOSE_TIMEOUT)
    except FAILURES:
        connection.terminate()
    except BaseException:
        connection.terminate()
        raise


def _tls(target: Target) -> str | ssl.SSLContext | bool:
    """What the driver needs for libpq's ``sslmode``; a client certificate demands TLS, whatever the mode."""
    if target.socket or target.sslmode == "disable":
        return False
    if target.sslmode in ("allow", "prefer") and not target.sslcert:
        return target.sslmode
    try:
        return _context(target)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise UsageError(
            "A certificate file cannot be used",
            f"sslrootcert, sslcert, sslkey or sslcrl: {reason}.",
            "Check the paths (relative ones count from the current folder), their modes and the key's password.",
        ) from None


def _context(target: Target) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = target.sslmode == "verify-full"
    home = Path.home() / ".postgresql"
    root = target.sslrootcert or (str(home / "root.crt") if (home / "root.crt").exists() else "")
    if target.sslmode in ("verify-ca", "verify-full") and not root:
        raise UsageError(
            f"sslmode={target.sslmode} needs the authority's certificate",
            f"Neither sslrootcert nor {home / 'root.crt'} is there.",
            "Give it as sslrootcert=FILE, or sslrootcert=system for the authorities this system trusts.",
        )
    if root == "system":
        context.load_default_certs()
        context.check_hostname = True
    elif root and target.sslmode not in ("allow", "prefer"):
        context.load_verify_locations(cafile=root)
    verify = bool(root) and target.sslmode not in ("allow", "prefer")
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    if target.extra.get("sslcrl"):
        context.load_verify_locations(cafile=target.extra["sslcrl"])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    certificate = target.sslcert or (str(home / "postgresql.crt") if (home / "postgresql.crt").exists() else "")
    if certificate:
        key = target.sslkey or (str(home / "postgresql.key") if (home / "postgresql.key").exists() else None)
        secret = target.sslpassword.reveal() if target.sslpassword is not None else ""
        context.load_cert_chain(certificate, keyfile=key, password=lambda: secret)
    context.set_alpn_protocols(["postgresql"])
    return context


async def identity_through_pooler(target: Target) -> tuple[str | None, int]:
    """System identifier (None without the privilege) and oid of the database behind a pooler.

    Asked without session settings, which poolers refuse, and in one transaction, which they keep on one server.
    Raises TargetError.
    """
    try:
        connection = await _open(target, database=target.database, target_session_attrs="any", command_timeout=2)
        try:
            await connection.execute("BEGIN READ ONLY")
            oid = await connection.fetchval("SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()")
            try:
                text = await connection.fetchval(load("system_identifier", OLDEST))
            except asyncpg.InsufficientPrivilegeError:
                text = None
            return text, oid
        finally:
            await retire(connection)
    except FAILURES as error:
        raise connecting(error, target) from None
