"""The names of connection parameters: libpq's, those that other programs add, and what becomes of each."""

from __future__ import annotations

from collections.abc import Mapping

# libpq's name of each setting we act on or hand to child programs → its environment variable.
VARIABLES: Mapping[str, str] = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "servicefile": "PGSERVICEFILE",
    "options": "PGOPTIONS",
    "application_name": "PGAPPNAME",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "sslsni": "PGSSLSNI",
    "sslcertmode": "PGSSLCERTMODE",
    "channel_binding": "PGCHANNELBINDING",
    "require_auth": "PGREQUIREAUTH",
    "requirepeer": "PGREQUIREPEER",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
}
WITHOUT_VARIABLE = {"sslpassword"}

_POOL = "sizes a client's own pool; a single session has none"
_CLIENT = "tells a client library how to behave; not part of the connection"
_TIMEOUT = "a client's own limit; the console sets its own for each session"
# Parameters that other programs accept and libpq refuses. They are listed to the operator as dropped.
DROPPED: Mapping[str, str] = {
    "connection_limit": _POOL,
    "pool_timeout": _POOL,
    "max_connection_lifetime": _POOL,
    "max_idle_connection_lifetime": _POOL,
    "pool": _POOL,
    "pool_size": _POOL,
    "max_conns": _POOL,
    "pool_max_conns": _POOL,
    "socket_timeout": _TIMEOUT,
    "statement_timeout": _TIMEOUT,
    "lock_timeout": _TIMEOUT,
    "statement_cache_size": _CLIENT,
    "prepared_statements": _CLIENT,
    "preparethreshold": _CLIENT,
    "binary_parameters": _CLIENT,
    "uselibpqcompat": _CLIENT,
    "sslfactory": _CLIENT,
    "supa": _CLIENT,
    "charset": _CLIENT,
    "encoding": _CLIENT,
    "serverversion": _CLIENT,
    "client_encoding": _CLIENT,
    "fallback_application_name": "the console names its sessions itself",
    "keepalives": _CLIENT,
    "keepalives_idle": _CLIENT,
    "keepalives_interval": _CLIENT,
    "keepalives_count": _CLIENT,
    "tcp_user_timeout": _CLIENT,
    "load_balance_hosts": "there is one host",
    "sslcompression": "no server offers it any more",
}
# Parameters with a meaning for us that libpq does not know: Prisma's, and other drivers' words for the schema and TLS.
UNDERSTOOD = {"schema", "currentschema", "search_path", "pgbouncer", "sslaccept", "sslidentity", "ssl", "database"}
