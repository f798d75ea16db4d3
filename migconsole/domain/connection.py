"""Where a connection is described: URLs, libpq's variables, service files and password files, as one set of settings.

Nothing here reads a file or quotes its input: an unescaped sign in a password makes any piece of a URL, even the port
or a parameter's name, a piece of the password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address
from typing import NoReturn
from urllib.parse import unquote_to_bytes

from migconsole.domain.parameters import DROPPED, UNDERSTOOD, VARIABLES, WITHOUT_VARIABLE

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
EXAMPLE = "postgresql://user:password@host:5432/database"


class TargetURLError(ValueError):
    """A connection description that cannot be used.

    ``problem`` says which part of which source is bad, ``remedy`` what to do; neither quotes anything of the input.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}: {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Dropped:
    """A parameter that was understood and left out, with the reason."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What one source says, under libpq's names plus the understood ones of other programs.

    The values hold the password, so they are not in the repr.
    """

    source: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    dropped: tuple[Dropped, ...] = ()

    def get(self, name: str) -> str:
        """The setting, or "" when this source does not say."""
        return self.values.get(name, "")


def parse(text: str, source: str = "DATABASE_URL") -> Settings:
    """Read a URL, or libpq's ``keyword=value`` form. Raises TargetURLError."""
    text = text.strip()
    reader = _Reader(source)
    if not text:
        reader.fail("is empty", f"write {EXAMPLE}")
    if text[0] in "\"'":
        reader.fail("starts with a quotation mark", "remove the quotation marks around it")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text) and "://" in text:
        return reader.url(text)
    if "=" in text:
        return reader.keywords(text)
    return reader.fail("is not a connection URL", f"write {EXAMPLE}")


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read libpq's variables; those that only format output are not connection settings and are ignored."""
    reader = _Reader("the environment")
    values = {}
    for name, variable in VARIABLES.items():
        value = environment.get(variable, "")
        if value and name != "application_name":
            values[name] = value
    if environment.get("PGREQUIRESSL") == "1":
        values.setdefault("sslmode", "require")
    for name, value in values.items():
        reader.check(name, value, f"the variable {VARIABLES[name]}")
    return Settings("the environment", values)


def parse_service(text: str, service: str) -> Settings | None:
    """The section ``[service]`` of a service file, or None when the file has no such section. Raises TargetURLError."""
    source = "the service file"
    reader = _Reader(source)
    inside = found = False
    values: dict[str, str] = {}
    dropped: list[Dropped] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if found:
                break
            inside = found = line == f"[{service}]"
            continue
        if not inside:
            continue
        name, equals, value = line.partition("=")
        where = f"line {number}"
        if not equals:
            reader.fail(f"has no '=' in {where}", "write one name=value on each line of the section")
        if name.strip() == "service":
            reader.fail(f"names another service in {where}", "write that service's settings out")
        reader.accept(name.strip(), value.strip(), where, values, dropped)
    return Settings(source, values, tuple(dropped)) if found else None


def passfile_password(text: str, host: str, port: int, database: str, user: str) -> str | None:
    """The password of the first line that fits, as libpq finds it, or None.

    Lines are ``host:port:database:user:password``; ``*`` fits anything; a backslash escapes ``:`` and itself. For a
    socket in the default folder ``host`` must be "localhost".
    """
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        fields = [re.sub(r"\\(.)", r"\1", part) for part in _split_escaped(line)]
        if len(fields) == 5 and all(
            mine in ("*", wanted) for mine, wanted in zip(fields, (host, str(port), database, user), strict=False)
        ):
            return fields[4]
    return None


def _split_escaped(line: str) -> list[str]:
    # Only the first four colons divide: the password may hold unescaped ones.
    parts = re.findall(r"(?:\\.|[^:\\])*:", line)[:4]
    return [part[:-1] for part in parts] + [line[sum(map(len, parts)) :]]


def combine(*layers: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Merge sources, the first one that says something wins; also return notes on what was overruled.

    Unlike libpq, host, address and port are one thing: a PGPORT or PGHOSTADDR left over in the environment never
    moves a URL that names its host to another server.
    """
    values: dict[str, str] = {}
    notes: list[str] = []
    place = ("host", "hostaddr", "port")
    for layer in layers:
        placed = bool(values.get("host") or values.get("hostaddr"))
        for name, value in layer.values.items():
            if placed and name in place:
                if value and value != values.get(name):
                    notes.append(f"{name} of {layer.source} is not used: the host comes from a stronger source")
            elif value:
                values.setdefault(name, value)
    sources = " and ".join(layer.source for layer in layers if layer.values)
    return Settings(sources, values, tuple(d for layer in layers for d in layer.dropped)), tuple(notes)


class _Reader:
    """Parses the texts of one source; knows its name for messages."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fail(self, problem: str, remedy: str = "") -> NoReturn:
        raise TargetURLError(f"{self.source} {problem}", remedy) from None

    def url(self, text: str) -> Settings:
        scheme, _, rest = text.partition("://")
        dropped = self._scheme(scheme)
        if any(char.isspace() or not char.isprintable() for char in text):
            self.fail(
                "has white space or a control character in it",
                "remove line breaks; write a space of user name or password as %20",
            )
        if "#" in rest:
            self.fail("has a '#' in it", "write a '#' of user name or password as %23")
        head, _, query = rest.partition("?")
        authority, _, path = head.partition("/")
        if "@" in path or ("@" in query and "@" not in head):
            self.fail("has a '/' or '?' before its '@'", "write '/' as %2F and '?' as %3F in user name and password")
        if "/" in path:
            self.fail("has more than one '/' after the host", "name one database; write a '/' of its name as %2F")
        userinfo, _, place = authority.rpartition("@")
        if "@" in userinfo:
            self.fail("has more than one '@'", "write an '@' of user name or password as %40")
        values: dict[str, str] = {}
        user, _, password = userinfo.partition(":")
        for name, part, value in (("user", "user name", user), ("password", "password", password)):
            if value:
                values[name] = self.decode(value, part)
        values |= self._place(place)
        if path:
            values["dbname"] = self.decode(path, "database name")
        self._query(query, values, dropped)
        return Settings(self.source, values, tuple(dropped))

    def _scheme(self, scheme: str) -> list[Dropped]:
        base, plus, driver = scheme.lower().partition("+")
        if base == "prisma":
            self.fail(
                "is an address of Prisma's own service, which is no PostgreSQL connection",
                "give the database's own postgresql:// URL as DIRECT_URL or with --target",
            )
        if base.startswith("jdbc:"):
            self.fail("is a JDBC address", 'remove the "jdbc:" in front')
        if base not in ("postgres", "postgresql") or (plus and not driver):
            self.fail("is not a PostgreSQL URL", f"write {EXAMPLE}")
        return [Dropped("+driver", "names a Python driver in the scheme; not part of the connection")] if plus else []

    def _place(self, place: str) -> dict[str, str]:
        """Host and port of the authority part."""
        if "," in place:
            self.fail("names more than one host", "name the one server that is migrated, the primary")
        if place.startswith("["):
            host, bracket, rest = place[1:].partition("]")
            if not bracket or (rest and not rest.startswith(":")):
                self.fail("has a broken IPv6 address", "write it as [address]:port")
            host, colon, port = self.decode(host, "host"), rest[:1], rest[1:]
            self.check("host", f"[{host}]", "the host")
        else:
            if place.count(":") > 1:
                self.fail(
                    "has more than one ':' after the user part",
                    "write an IPv6 address in [brackets], and end user name and password with '@'",
                )
            host, colon, port = place.partition(":")
            host = self.decode(host, "host")
            if host:
                self.check("host", host, "the host")
        if colon and port:
            self.check("port", port, "the port")
        return {name: value for name, value in (("host", host), ("port", port)) if value}

    def _query(self, query: str, values: dict[str, str], dropped: list[Dropped]) -> None:
        pairs = query.split("&") if query else []
        seen: dict[str, str] = {}
        for number, pair in enumerate(pairs, 1):
            where = f"parameter {number} of {len(pairs)} after the '?'"
            name, equals, value = pair.partition("=")
            if not equals:
                self.fail(f"has no '=' in {where}", "write name=value; write a '?' or '&' of a password as %3F and %26")
            name, value = self.decode(name, where).lower(), self.decode(value, where)
            if seen.setdefault(name, value) != value:
                self.fail(f"says one thing twice, differently, in {where}", "leave one of them")
            self.accept(name, value, where, values, dropped)

    def accept(self, name: str, value: str, where: str, values: dict[str, str], dropped: list[Dropped]) -> None:
        """Put one named setting where it belongs."""
        if name in DROPPED:
            dropped.append(Dropped(name, DROPPED[name]))
        elif name in VARIABLES or name in WITHOUT_VARIABLE or name in UNDERSTOOD:
            name = "dbname" if name == "database" else name
            self.check(name, value, where)
            values[name] = value
        else:
            self.fail(
                f"has an unknown name in {where}",
                "remove it; if it is part of the password, write '?' as %3F and '&' as %26 there",
            )

    def keywords(self, text: str) -> Settings:
        """libpq's ``host=… dbname=…``: values may stand in single quotes, a backslash escapes."""
        values: dict[str, str] = {}
        dropped: list[Dropped] = []
        position = number = 0
        pattern = re.compile(r"\s*([A-Za-z_]+)\s*=\s*('(?:\\.|[^'\\])*'|(?:\\.|[^\s'\\])*)(?=\s|$)", re.DOTALL)
        while position < len(text):
            number += 1
            match = pattern.match(text, position)
            if match is None:
                self.fail(
                    f"cannot be read at setting {number}",
                    "write name=value pairs; put a value with spaces or quotes in '…' and escape with a backslash",
                )
            value = match[2][1:-1] if match[2].startswith("'") else match[2]
            self.accept(
                match[1].lower(), re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL), f"setting {number}", values, dropped
            )
            position = match.end()
        return Settings(self.source, values, tuple(dropped))

    def decode(self, text: str, part: str) -> str:
        """Undo percent-encoding."""
        if re.search(r"%(?![0-9A-Fa-f]{2})", text):
            self.fail(
                f"has a '%' in the {part} that is not followed by two hexadecimal digits", "write a '%' itself as %25"
            )
        try:
            decoded = unquote_to_bytes(text).decode()
        except UnicodeDecodeError:
            self.fail(f"has percent-encoded bytes in the {part} that are not UTF-8", "encode it as UTF-8")
        if "\0" in decoded:
            self.fail(f"has a zero byte in the {part}", "remove the %00")
        return decoded

    def check(self, name: str, value: str, where: str) -> None:
        """Refuse values that cannot be right, before any library sees (and quotes) them."""
        if name in ("host", "hostaddr"):
            self._check_host(value, where)
        elif name == "port" and not (re.fullmatch(r"[0-9]{1,5}", value) and 0 < int(value) < 65536):
            self.fail(
                f"has no number from 1 to 65535 as port ({where})",
                "mend the port; if the password holds '@', ':' or '/', write them as %40, %3A and %2F",
            )
        elif name == "connect_timeout" and not re.fullmatch(r"[0-9]{1,6}", value):
            self.fail(f"has no whole number of seconds as connect_timeout ({where})")
        elif name == "sslmode" and value not in (*SSL_MODES, "no-verify"):
            self.fail(
                f"has an sslmode that is none of {', '.join(SSL_MODES)} ({where})", "Prisma would take it for prefer"
            )
        elif name == "sslnegotiation" and value not in ("postgres", "direct"):
            self.fail(f"has an sslnegotiation that is neither postgres nor direct ({where})")

    def _check_host(self, value: str, where: str) -> None:
        if "," in value:
            self.fail(f"names more than one host ({where})", "name the one server that is migrated, the primary")
        if value.startswith("/"):
            return
        if value.startswith("@"):
            self.fail(f"names an abstract socket ({where})", "use the socket's folder or the server's address")
        bare = value.strip("[]")
        if ":" in bare:
            try:
                IPv6Address(bare)
            except AddressValueError:
                self.fail(
                    f"has a broken IPv6 address ({where})",
                    "write it as [address]:port; if the password holds ':' or '@', write %3A and %40",
                )
        elif not re.fullmatch(r"[\w.-]+", bare) or value != bare:
            self.fail(
                f"has a sign in the host that no host name has ({where})",
                "write a socket's folder as ?host=/folder, and percent-encode '@', ':', '/', '?', '#' and '%' in user "
                "name and password",
            )
