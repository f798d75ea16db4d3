"""Under which user the server's programs run: PostgreSQL refuses root and users without a name."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migconsole.demo import userns
from migconsole.demo.trees import Tree
from migconsole.errors import MigconsoleError


@dataclass(frozen=True, slots=True)
class Privilege:
    """How to start a program: words before the command, arguments for subprocess, and who must own the files.

    ``mode`` is "self", "nobody" (setuid) or "userns". ``owner`` is a uid to hand folders to, or None.
    """

    mode: str
    prefix: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    owner: int | None = None

    def hand_over(self, path: Path) -> None:
        """Give a file or folder to the user the server runs as."""
        if self.owner is not None:
            os.chown(path, self.owner, self.owner)


SELF = Privilege("self")
NOBODY = Privilege(
    "nobody",
    arguments={"user": userns.NOBODY, "group": userns.NOBODY, "extra_groups": []},
    owner=userns.NOBODY,
)
USERNS = Privilege("userns", prefix=(sys.executable, "-I", "-S", userns.__file__))


def choose(tree: Tree, base: Path) -> tuple[Privilege, Tree]:
    """The way to run this tree's programs here, and the tree to run: a copy below ``base`` where nothing else works.

    An ordinary user needs nothing. Root runs them as nobody when nobody can reach the tree; otherwise (Python below
    root's home, or a uid without a name) in a user namespace; where those are forbidden root runs a copy as nobody.
    """
    root = os.geteuid() == 0
    if not root and _has_name(os.geteuid()):
        return SELF, tree
    if root and reachable(tree.bindir) and reachable(base):
        return NOBODY, tree
    if works(USERNS, tree):
        return USERNS, tree
    if root:
        return NOBODY, copy_tree(tree, base)
    raise MigconsoleError(
        "PostgreSQL cannot run as this user",
        f"uid {os.geteuid()} has no name in the passwd file, and user namespaces are forbidden here.",
        "Run as a user that has a name.",
    )


def reachable(path: Path) -> bool:
    """Whether every user can get to a folder: all of its parents, and it, let others through."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def works(privilege: Privilege, tree: Tree) -> bool:
    """Whether a program of the tree can be started that way."""
    command = [*privilege.prefix, str(tree.bindir / "postgres"), "--version"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            env=environment(tree, Path("/")),
            timeout=20,
            check=False,
            **privilege.arguments,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def copy_tree(tree: Tree, base: Path) -> Tree:
    """Copy a tree to where nobody can read it, without headers and static libraries.

    The folder layout above is kept, for wheels put shared libraries in a ``*.libs`` folder two levels up and look for
    them relative to the program.
    """
    package = tree.root.parent
    copied = base / "tree" / package.name / tree.root.name
    shutil.copytree(tree.root, copied, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, base / "tree" / libraries.name)
    for folder in (base / "tree", copied.parent, *copied.rglob("*")):
        if not folder.is_symlink():
            folder.chmod(folder.stat().st_mode | (0o555 if folder.is_dir() else 0o444))
    return Tree(copied / tree.bindir.name, tree.version)


def environment(tree: Tree, home: Path) -> dict[str, str]:
    """What the server's programs see: built from nothing, so that no PG variable or locale leaks in."""
    values = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C", "TZ": "UTC"}
    if tree.library_path:
        values["LD_LIBRARY_PATH"] = tree.library_path
    return values


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
