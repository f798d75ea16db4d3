"""The target: the one server and database of a run, made from whatever described it, for us and for child programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

from migconsole.domain.connection import (
    EXAMPLE,
    Dropped,
    Settings,
    TargetURLError,
    combine,
    from_environment,
    parse,
    parse_service,
    passfile_password,
)
from migconsole.domain.inherited import inherited
from migconsole.domain.parameters import VARIABLES
from migconsole.domain.secrets import Secret

__all__ = [
    "DEFAULT_PORT",
    "Dropped",
    "Settings",
    "Target",
    "TargetURLError",
    "build_target",
    "choose_direct",
    "combine",
    "from_environment",
    "parse",
    "parse_service",
    "passfile_password",
    "pooler_reason",
]

DEFAULT_PORT = 5432
# PgBouncer, Odyssey and PgCat listen on 6432 by default, Supabase's transaction pooler on 6543.
_POOLER_PORTS = (6432, 6543)
_POOLER_HOST = re.compile(r"(^|[-._])(pooler|pgbouncer|bouncer|pgcat|odyssey|supavisor)(?=$|[-._0-9])", re.IGNORECASE)
# Words that say what a host is for: hosts that disagree about them are not the same target.
_STAGES = {
    "prod": "production",
    "production": "production",
    "live": "production",
    "stage": "staging",
    "staging": "staging",
    "stg": "staging",
    "test": "test",
    "testing": "test",
    "qa": "test",
    "uat": "test",
    "dev": "development",
    "development": "development",
}
# Only these stay in the URL that children get: the rest is in their environment, where an item can still override it.
_IN_CLEAN_URL = ("sslmode", "sslrootcert", "sslcert", "sslkey")
_FOR_CHILDREN = (
    "sslcrl",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "sslsni",
    "sslcertmode",
    "channel_binding",
    "require_auth",
    "requirepeer",
    "gssencmode",
    "krbsrvname",
)


@dataclass(frozen=True, slots=True)
class Target:
    """One server and database.

    ``host`` is a name, an address or a socket's folder. ``sslmode`` is libpq's. ``search_path`` is Prisma's
    ``schema``: for our own sessions only, never for pg_dump. ``extra`` are settings under libpq's names that are handed
    on to child programs. ``pooler`` says why the address looks like a connection pooler's, "" when it does not; what
    it is shows when connecting. ``pooled`` is DATABASE_URL where DIRECT_URL was taken instead. ``originals`` are the
    URLs as given, for a migrator that needs them (``url: original``). ``notes`` are for the operator.
    """

    host: str
    port: int
    database: str
    user: str
    password: Secret | None = None
    sslmode: str = "prefer"
    sslrootcert: str = ""
    sslcert: str = ""
    sslkey: str = ""
    sslpassword: Secret | None = None
    options: str = ""
    connect_timeout: float | None = None
    target_session_attrs: str = ""
    search_path: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    pooler: str = ""
    pooled: Target | None = None
    source: str = ""
    originals: Mapping[str, Secret] = field(default_factory=dict)

    @property
    def socket(self) -> bool:
        """Whether the host is a folder with a Unix socket."""
        return self.host.startswith("/")

    @property
    def name(self) -> str:
        """``db@host:port``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.database}@{host}:{self.port}"

    @property
    def display(self) -> str:
        """Name and user, without password: for screens and messages."""
        return f"{self.name} as {self.user}"

    @property
    def url(self) -> str:
        """A URL that libpq, asyncpg and Prisma all accept, without password."""
        user, database = quote(self.user, safe=""), quote(self.database, safe="")
        values = {name: getattr(self, name) for name in _IN_CLEAN_URL if getattr(self, name)}
        if values.get("sslmode") == "prefer":
            del values["sslmode"]
        if self.socket:
            place, values = "", {"host": self.host, "port": str(self.port)} | values
        else:
            host = f"[{quote(self.host, safe=':')}]" if ":" in self.host else quote(self.host, safe="")
            place = f"{host}:{self.port}"
        query = f"?{urlencode(values, quote_via=quote, safe='')}" if values else ""
        return f"postgresql://{user}@{place}/{database}{query}"

    def child_environment(self) -> dict[str, str]:
        """What every child program gets, without secrets, after all inherited ``PG*`` variables were removed.

        Each libpq tool and each reader of DATABASE_URL then means this one server.
        """
        settings = {
            "host": self.host,
            "port": str(self.port),
            "dbname": self.database,
            "user": self.user,
            "sslmode": self.sslmode,
            "sslrootcert": self.sslrootcert,
            "sslcert": self.sslcert,
            "sslkey": self.sslkey,
            "options": self.options,
            "connect_timeout": "" if self.connect_timeout is None else f"{self.connect_timeout:.0f}",
            "target_session_attrs": self.target_session_attrs,
            **self.extra,
        }
        environment = {VARIABLES[name]: value for name, value in settings.items() if value}
        return environment | {"DATABASE_URL": self.url}

    def child_secrets(self) -> dict[str, Secret]:
        """The secret part of the environment: PGPASSWORD, when a password is known."""
        return {} if self.password is None else {"PGPASSWORD": self.password}

    def whole_environment(self, environment: Mapping[str, str], app_name: str) -> dict[str, str]:
        """The environment of a command that a person wrote, password included: this target, and no other one's.

        ``environment`` is what is inherited; ``app_name`` is what its sessions are called on the server.
        """
        secrets = {name: secret.reveal() for name, secret in self.child_secrets().items()}
        return {**inherited(environment), **self.child_environment(), **secrets, "PGAPPNAME": app_name}

    def secrets(self) -> tuple[Secret, ...]:
        """Everything that must be masked wherever text is shown or kept."""
        found = [*self.originals.values(), *(s for s in (self.password, self.sslpassword) if s is not None)]
        if self.pooled is not None:
            found += self.pooled.secrets()
        return tuple(dict.fromkeys(found))


def build_target(
    settings: Settings,
    *,
    default_host: str = "",
    default_user: str = "",
    notes: tuple[str, ...] = (),
    original: Mapping[str, str] | None = None,
) -> Target:
    """Make the target of merged settings. Raises TargetURLError when something that must be said is missing.

    The database's name has no default: libpq would take the user's name and Prisma "postgres", and a migration must
    not depend on which program reads the URL.
    """
    get, source = settings.get, settings.source
    if not get("dbname"):
        raise TargetURLError(f"{source} names no database", f"write it out: {EXAMPLE}")
    user = get("user") or default_user
    if not user:
        raise TargetURLError(f"{source} names no user", f"write it out: {EXAMPLE}")
    host = _host(settings) or default_host
    if not host:
        raise TargetURLError(f"{source} names no host", f"write it out: {EXAMPLE}")
    port = int(get("port") or DEFAULT_PORT)
    tls = _tls(settings)
    return Target(
        host=host,
        port=port,
        database=get("dbname"),
        user=user,
        password=_secret(get("password")),
        sslmode=tls.mode,
        sslrootcert=tls.root,
        sslcert=tls.cert,
        sslkey=get("sslkey"),
        sslpassword=_secret(tls.password),
        options=get("options"),
        connect_timeout=float(get("connect_timeout")) if get("connect_timeout") not in ("", "0") else None,
        target_session_attrs=get("target_session_attrs"),
        search_path=get("schema") or get("currentschema") or get("search_path"),
        extra={name: get(name) for name in _FOR_CHILDREN if get(name)},
        dropped=(*settings.dropped, *tls.dropped),
        notes=notes,
        pooler=pooler_reason(host, port, get("pgbouncer").lower() == "true"),
        source=source,
        originals={name: Secret(text) for name, text in (original or {}).items()},
    )


def _secret(value: str) -> Secret | None:
    return Secret(value) if value else None


def _host(settings: Settings) -> str:
    host, address = settings.get("host"), settings.get("hostaddr")
    if host and address and host != address:
        raise TargetURLError(
            f"{settings.source} has both a host and a hostaddr",
            "give one of them: the server that is shown must be the one that is connected to",
        )
    return (host or address).strip("[]")


@dataclass(frozen=True, slots=True)
class _Tls:
    mode: str
    root: str
    cert: str
    password: str
    dropped: tuple[Dropped, ...] = ()


def _tls(settings: Settings) -> _Tls:
    """libpq's TLS settings, translated where other programs use the same names for other things.

    With Prisma's own ``sslaccept`` or ``sslidentity`` present, ``sslcert`` is its word for the authority's certificate
    and ``sslpassword`` belongs to the identity file, which libpq cannot read.
    """
    get = settings.get
    mode, root, cert, password = get("sslmode"), get("sslrootcert"), get("sslcert"), get("sslpassword")
    dropped: tuple[Dropped, ...] = ()
    if not mode and get("ssl"):
        mode = "disable" if get("ssl").lower() in ("false", "0") else "require"
    if mode == "no-verify":
        mode = "require"
    if get("sslaccept") or get("sslidentity"):
        root, cert = root or cert, ""
        if get("sslaccept") == "strict" and mode in ("", "prefer", "require"):
            mode = "verify-full"
        if get("sslidentity"):
            password = ""
            dropped = (Dropped("sslidentity", "a PKCS #12 file, which libpq cannot read: give sslcert and sslkey"),)
    return _Tls(mode or "prefer", root, cert, password, dropped)


def pooler_reason(host: str, port: int, declared: bool = False) -> str:
    """Why this looks like a connection pooler's address, or "".

    >>> pooler_reason("ep-calm-1-pooler.eu-central-1.aws.example.com", 5432)
    'its host name says so'
    >>> pooler_reason("db1", 5432)
    ''
    """
    if declared:
        return "pgbouncer=true says so"
    if not host.startswith("/") and _POOLER_HOST.search(host):
        return "its host name says so"
    if port in _POOLER_PORTS:
        return f"port {port} is a pooler's"
    return ""


def choose_direct(database: Target, direct: Target) -> Target:
    """DIRECT_URL in place of a DATABASE_URL that goes through a pooler; the result is the one the run works on.

    The same address twice is simply that. Otherwise both must mean the same database: its name must agree, and so must
    what the host names say they are for. Where DATABASE_URL does not look like a pooler, the hosts must also be of one
    domain, because then nothing but DIRECT_URL's presence says that one stands in front of the other. Whether it really
    is the same server is compared when connecting. Raises TargetURLError for another target: Prisma would migrate that
    one while everything else looks at DATABASE_URL.
    """
    remedy = "make both mean one database, or give the target with --target"
    if database.database != direct.database:
        raise TargetURLError("DIRECT_URL names another database than DATABASE_URL", remedy)
    originals = {**database.originals, **direct.originals}
    if (database.host, database.port) == (direct.host, direct.port):
        return replace(database, originals=originals)
    if _stages(database.host) and _stages(direct.host) and _stages(database.host) != _stages(direct.host):
        raise TargetURLError("DIRECT_URL's host is for another environment than DATABASE_URL's", remedy)
    if not database.pooler and _domain(database.host) != _domain(direct.host):
        raise TargetURLError("DIRECT_URL names another host than DATABASE_URL, which is not a pooler's", remedy)
    why = database.pooler or "DIRECT_URL goes to another address"
    note = f"DIRECT_URL is used: DATABASE_URL ({database.host}:{database.port}) is taken for a pooler, because {why}"
    return replace(
        direct,
        pooled=replace(database, originals={}),
        originals=originals,
        notes=(*database.notes, *direct.notes, note),
        dropped=tuple(dict.fromkeys((*database.dropped, *direct.dropped))),
        search_path=direct.search_path or database.search_path,
    )


def _stages(host: str) -> set[str]:
    return {_STAGES[word] for word in re.split(r"[^a-z]+", host.lower()) if word in _STAGES}


def _domain(host: str) -> str:
    """What two hosts of one service have in common: the last two labels of a name, an address or bare name as is."""
    labels = host.lower().rstrip(".").split(".")
    if host.startswith("/") or ":" in host or len(labels) < 3 or labels[-1].isdigit():
        return host.lower()
    return ".".join(labels[-2:])
