"""squawk, the linter of PostgreSQL migrations, where it is installed: run, and its findings read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from migconsole.domain.lint import Finding
from migconsole.errors import MigconsoleError

TIMEOUT = 120.0


def find() -> Path | None:
    """The program: beside this Python first, where the extra ``lint`` puts it, else on the PATH."""
    beside = Path(sys.executable).parent / "squawk"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("squawk")
    return Path(found) if found else None


def version(program: Path) -> str:
    """What the program calls itself."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "squawk"
    return done.stdout.strip()[:60] or "squawk"


def run(program: Path, files: Sequence[Path], *, postgresql: str, one_transaction: bool) -> list[Finding]:
    """The findings in these files, in squawk's words. Raises MigconsoleError when it does not do its work.

    ``postgresql`` is the server's version, such as 16.4. ``one_transaction``: each file is sent as one transaction.
    """
    if not files:
        return []
    # A configuration file of the folder could switch rules off: what is judged must not depend on where one stands.
    options = ["--reporter", "json", "--config", os.devnull, "--pg-version", postgresql]
    options += ["--assume-in-transaction"] if one_transaction else []
    try:
        done = subprocess.run(
            [program, *options, "--", *files], capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MigconsoleError("squawk could not be run", f"{type(error).__name__}.") from None
    try:
        found = json.loads(done.stdout or "[]")
        findings = [_finding(entry) for entry in found]
    except (ValueError, KeyError, TypeError):
        raise MigconsoleError("squawk's answer cannot be read", done.stderr.strip()[:300]) from None
    # It ends with 1 when it found something: any other end, or a 1 without findings, is a failure of its own.
    if done.returncode not in (0, 1) or (done.returncode == 1 and not findings):
        raise MigconsoleError("squawk failed", (done.stderr or done.stdout).strip()[:300])
    return findings


def _finding(entry: dict[str, object]) -> Finding:
    level = "error" if str(entry["level"]).lower() == "error" or entry["rule_name"] in _BREAKING else "warning"
    return Finding(
        str(entry["file"]), int(str(entry["line"])) + 1, str(entry["rule_name"]), str(entry["message"]), level
    )


_BREAKING = {
    "adding-required-field",
    "ban-concurrent-index-creation-in-transaction",
    "ban-drop-column",
    "ban-drop-database",
    "ban-drop-table",
    "ban-truncate-cascade",
    "renaming-column",
    "renaming-table",
    "syntax-error",
}
"""Rules whose findings lose data or break what still uses the old form; squawk calls most of them warnings."""
