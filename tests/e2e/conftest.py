"""Every test here drives the real program; whatever it opened is ended with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.e2e.checklists import Desk
from tests.e2e.pty import Console

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies below this folder ``e2e``."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def open_console() -> Iterator[Callable[..., Console]]:
    """Open consoles: ``open_console("demo", rows=24, columns=80, env={…})``; see ``pty.Console``."""
    with ExitStack() as stack:

        def open_one(*arguments: str, **options: Any) -> Console:
            console = Console(arguments, **options)
            stack.callback(console.close)
            return console

        yield open_one


@pytest.fixture
def desk(open_console: Callable[..., Console], tmp_path: Path, database: Database) -> Desk:
    """A desk with a fresh database."""
    return Desk(open_console, tmp_path, database)
