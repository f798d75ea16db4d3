"""A real browser for tests of the page: Debian's Chromium, without a screen and without any network of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_QUIET = (
    *("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"),
)


def need_browser() -> str:
    """The browser's program; skips the test with the reason where there is none."""
    if PROGRAM is None:
        pytest.skip("no Chromium on this host: apt-get install chromium")
    return PROGRAM


def browse(page: Path, profile: Path, *options: str) -> str:
    """Open a page and return what ``--dump-dom`` or another option prints; its scripts have run by then."""
    # Chromium's own sandbox does not work for root, which is what a container's only user is.
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    command = [need_browser(), *_QUIET, *sandbox, f"--user-data-dir={profile}", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
