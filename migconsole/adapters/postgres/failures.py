"""What the driver and the server say, as errors a person can act on; never the driver's own texts unredacted."""

from __future__ import annotations

import socket
import ssl

import asyncpg

from migconsole.domain.secrets import Secrets
from migconsole.domain.target import Target
from migconsole.domain.text import sanitise_line
from migconsole.errors import MigconsoleError, TargetError, UsageError

_NO_PREPARED = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
_PERIOD = "."

DRIVER_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What the driver raises for what a server or a network does; time limits are OSErrors too."""

FAILURES = (*DRIVER_FAILURES, ValueError)
"""The same with what it raises for parameters and values that it cannot translate."""


class PrivilegeError(TargetError):
    """The role may not read this: shown as "no privilege", never as health."""


class RefusedError(TargetError):
    """The server answered, and did not let us in. ``sqlstate`` is its reason's code."""

    sqlstate = ""


class UselessTargetError(TargetError):
    """Nothing that the server does later can help: it is a pooler, or too old."""


def redacted(text: object, target: Target) -> str:
    """One line of a server's or driver's text without any of the target's secrets."""
    secrets = Secrets(target.secrets(), names=(target.host, target.database, target.user))
    if target.password is not None:
        secrets.add_password(target.password)
    return sanitise_line(secrets.redact(str(text)))


def pooler_error(target: Target, evidence: str) -> TargetError:
    """The target is a connection pooler: session settings and locks would leak between clients."""
    why = f" ({target.pooler})" if target.pooler else ""
    return UselessTargetError(
        f"{target.host}:{target.port} is a connection pooler, not the server{why}",
        f"{evidence}. Timeouts, locks and snapshots of a session do not hold through a pooler.",
        "Give the server's own address: set DIRECT_URL, or pass --target postgresql://user@server:5432/database.",
    )


def too_old(version: str) -> TargetError:
    """The server is older than what this program knows."""
    return UselessTargetError(
        "The server is older than PostgreSQL 11",
        f"It reports version {version}." if version else "It does not know settings that came with PostgreSQL 11.",
        "Upgrade the server, or run this migration by hand: nothing here was tested against such a version.",
    )


def connecting(error: BaseException, target: Target) -> MigconsoleError:
    """Why no session could be opened, from whatever the driver raised."""
    where = f"{target.host}:{target.port}"
    if isinstance(error, MigconsoleError):
        return error
    if isinstance(error, asyncpg.PostgresError):
        return _refused_by_server(error, target)
    if isinstance(error, TimeoutError):
        return TargetError(
            f"{where} does not answer",
            "The connection was tried until its time limit.",
            "Check the address, firewalls and the way there (VPN, tunnel); connect_timeout in the URL waits longer.",
        )
    if isinstance(error, socket.gaierror):
        return TargetError(
            f"The host name {target.host} is not known",
            "It could not be resolved to an address.",
            "Check the spelling and the name server (or the VPN it needs).",
        )
    if isinstance(error, ssl.SSLError):
        return _tls_failed(error, target)
    if isinstance(error, ConnectionError) and "SSL upgrade" in str(error):
        return TargetError(
            f"{where} does not offer TLS",
            f"sslmode={target.sslmode} demands it.",
            "Enable TLS on the server (ssl = on), or, where the network is trusted, use sslmode=prefer.",
        )
    if isinstance(error, OSError):
        return _unreachable(error, target)
    return TargetError(
        f"No session on {where} could be opened",
        redacted(error, target) + _PERIOD,
        "Check how the server authenticates this user, and the TLS settings of the URL.",
    )


def _unreachable(error: OSError, target: Target) -> TargetError:
    where = f"{target.host}:{target.port}"
    if target.socket:
        return TargetError(
            f"No server listens on the socket in {target.host} for port {target.port}",
            redacted(error.strerror or error, target) + _PERIOD,
            "Check that the server runs, its unix_socket_directories and its port.",
        )
    if isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error):
        return TargetError(
            f"{where} refuses connections",
            "No server listens there.",
            "Check that the server runs, its port, and that listen_addresses covers this address.",
        )
    return TargetError(
        f"{where} cannot be reached",
        redacted(error.strerror or type(error).__name__, target) + _PERIOD,
        "Check the address, firewalls and the way there (VPN, tunnel).",
    )


def _tls_failed(error: ssl.SSLError, target: Target) -> TargetError:
    where = f"{target.host}:{target.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return TargetError(
            f"The certificate of {where} cannot be trusted",
            f"{sanitise_line(error.verify_message)}.",
            "Give its authority's certificate as sslrootcert, and use the host name the certificate is for.",
        )
    return TargetError(
        f"The TLS connection to {where} failed",
        sanitise_line(error.reason or "") + _PERIOD,
        "Check the TLS settings on both sides, and sslcert and sslkey where the server asks for a certificate.",
    )


def _refused_by_server(error: asyncpg.PostgresError, target: Target) -> MigconsoleError:
    text = str(error)
    pooled = "unsupported startup parameter" in text or isinstance(error, _NO_PREPARED)
    if pooled:
        return pooler_error(target, "It refused the session's settings or lost a prepared statement")
    if isinstance(error, asyncpg.UndefinedObjectError) and "jit" in text:
        return too_old("")
    known = _KNOWN.get(error.sqlstate or "")
    if error.sqlstate == "28000" and ("no encryption" in text or "SSL off" in text) and target.sslmode != "disable":
        known = _TLS_REQUIRED
    elif error.sqlstate == "28000" and ("no encryption" in text or "SSL off" in text):
        known = _TLS_DISABLED
    elif error.sqlstate == "28P01" and target.password is None:
        known = _NO_PASSWORD
    title, remedy = known or ("{where} refused the session", "See the server's log for the reason.")
    fill = {"t": target, "where": f"{target.host}:{target.port}"}
    refused = RefusedError(title.format(**fill), f"The server says: {redacted(text, target)}.", remedy.format(**fill))
    refused.sqlstate = error.sqlstate or ""
    return refused


_NO_PASSWORD = (
    "{where} asks for a password, and none is known",
    "Put it into the URL, PGPASSWORD or a password file (mode 0600), or name a password_command in the checklist.",
)
_TLS_REQUIRED = (
    "{where} does not let {t.user} in without TLS, or not from this address",
    "Use sslmode=require (or stronger), or add a line to the server's pg_hba.conf.",
)
_TLS_DISABLED = (
    "{where} does not let {t.user} in without TLS, and sslmode=disable forbids it",
    "Use sslmode=require, or better verify-full.",
)
_KNOWN = {
    "28P01": (
        "The password for {t.user} is wrong",
        "Check user name and password; percent-encode the signs @ : / ? # % in a URL.",
    ),
    "28000": (
        "{where} does not let {t.user} in",
        "Check the user name, and that the server's pg_hba.conf has a line for this user, database and address.",
    ),
    "3D000": (
        "There is no database {t.database} on {where}",
        "Check the name in the URL; note that prisma migrate deploy would create it, empty.",
    ),
    "42501": (
        "{t.user} may not connect to {t.database}",
        "Grant it: GRANT CONNECT ON DATABASE … TO ….",
    ),
    "53300": (
        "{where} has no connection slot left",
        "Close sessions that are not needed, or use a role with reserved ones (pg_use_reserved_connections, 16+).",
    ),
    "57P03": (
        "{where} is starting up, shutting down or recovering",
        "Wait until it accepts connections; see the server's log for its progress.",
    ),
    "55000": (
        "{t.database} does not accept connections",
        "It is closed (datallowconn) or was left invalid by an interrupted DROP DATABASE.",
    ),
}


def querying(error: BaseException, target: Target, limit: float, lock_timeout: float) -> MigconsoleError:
    """Why a statement failed, from whatever the driver raised."""
    if isinstance(error, MigconsoleError):
        return error
    says = redacted(error, target)
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return PrivilegeError(
            "No privilege", f"The server says: {says}.", f"Grant {target.user} what it may read here."
        )
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return UsageError(
            "The statement would change something",
            f"The server says: {says}.",
            "A sql item only reads; use a run item.",
        )
    if isinstance(error, asyncpg.LockNotAvailableError):
        return TargetError(
            f"A lock was not granted within {lock_timeout:g} s",
            f"The server says: {says}.",
            "Somebody holds the table, perhaps the migration itself: try again when it is done.",
        )
    if isinstance(error, asyncpg.QueryCanceledError | TimeoutError):
        return TargetError(
            f"No answer within {limit:g} s",
            f"The server says: {says}." if isinstance(error, asyncpg.QueryCanceledError) else "",
            "Make the statement cheaper, or give the item a longer timeout.",
        )
    # The driver loses its place in the protocol when a server dies in the middle of an answer.
    gone = asyncpg.PostgresConnectionError | asyncpg.CannotConnectNowError | asyncpg.InternalClientError | OSError
    if isinstance(error, gone) or (isinstance(error, asyncpg.InterfaceError) and "closed" in says):
        return lost(target)
    if isinstance(error, asyncpg.PostgresError):
        detail = "".join(f" {redacted(part, target)}" for part in (error.detail, error.hint) if part)
        return TargetError("The server refused the statement", f"{says}.{detail}", f"SQLSTATE {error.sqlstate}.")
    if isinstance(error, asyncpg.InterfaceError | asyncpg.UnsupportedClientFeatureError | ValueError | OverflowError):
        return TargetError(
            "The result has a value that cannot be read", f"{says}.", "Cast the column to text in the statement."
        )
    return TargetError("The statement failed", f"{type(error).__name__}: {says}.")


def lost(target: Target) -> TargetError:
    """The session ended while it was used."""
    return TargetError(
        f"The connection to {target.host}:{target.port} was lost",
        "The server ended the session, went away, or was restarted.",
        "Check the server; reading again is safe.",
    )
