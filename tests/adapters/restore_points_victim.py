"""The program, standing still at one boundary of a backup or a proof, so that something can die exactly there.

``python -m tests.adapters.restore_points_victim REACHED POINT WORDS…``: carries the command WORDS out; at POINT it
makes the file REACHED and goes on only when its standard input ends. POINT is ``WORD:before`` or ``WORD:after`` a call
below, or ``PROGRAM:started`` for a client program that has just been started.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from migconsole.adapters.backup import directory, proving
from migconsole.adapters.backup.tools import Running, Toolbox
from migconsole.adapters.postgres.sides import SideKeeper
from migconsole.cli import main
from migconsole.wiring import backups, proofs


class Boundary:
    """The one point at which the command stands still, once."""

    def __init__(self, reached: Path, point: str) -> None:
        self._reached = reached
        self._point = point

    def at(self, point: str) -> None:
        """Stand still here, if this is it."""
        if point == self._point and not self._reached.exists():
            self._reached.touch()
            sys.stdin.read()

    def around(self, owner: Any, name: str, word: Callable[..., str]) -> None:
        """Have a function of the program stand still before it begins and after it has ended."""
        inner = getattr(owner, name)

        @functools.wraps(inner)
        async def later(*arguments: Any, **named: Any) -> Any:
            self.at(f"{word(*arguments)}:before")
            found = await inner(*arguments, **named)
            self.at(f"{word(*arguments)}:after")
            return found

        @functools.wraps(inner)
        def now(*arguments: Any, **named: Any) -> Any:
            self.at(f"{word(*arguments)}:before")
            found = inner(*arguments, **named)
            self.at(f"{word(*arguments)}:after")
            return found

        setattr(owner, name, later if inspect.iscoroutinefunction(inner) else now)

    def programs(self) -> None:
        """The same for client programs, while they are at work."""
        inner = Toolbox.started

        @contextlib.asynccontextmanager
        async def started(toolbox: Toolbox, program: str, *words: str, **named: Any) -> AsyncIterator[Running]:
            async with inner(toolbox, program, *words, **named) as running:
                lists = [word for word in words if word.endswith("schemas.list")]
                self.at(f"{program}{'-schemas' if lists else ''}:started")
                yield running

        Toolbox.started = started  # type: ignore[method-assign, assignment]


def stand_still(boundary: Boundary) -> None:
    """At every boundary of both commands: what they put on disk, on the server, and on record."""
    for name in ("create", "apply", "close", "exchange", "drop"):
        boundary.around(SideKeeper, name, lambda *_, name=name: name)
    boundary.around(SideKeeper, "mark", lambda _keeper, _name, marker: f"mark-{marker.step}")
    boundary.around(proving, "fill", lambda *_: "fill")
    boundary.around(proofs, "write_by_hand", lambda *_: "by-hand")
    boundary.around(proofs, "conclude", lambda *_: "conclude")
    boundary.around(backups, "conclude", lambda *_: "conclude")
    for name in ("make_partial", "hash_files", "settle"):
        boundary.around(directory, name, lambda *_, name=name: name)
    boundary.around(directory, "write_durably", lambda path, _data: path.name)
    boundary.around(Toolbox, "output", lambda _toolbox, program, *_: f"{program}-output")
    boundary.programs()


if __name__ == "__main__":
    stand_still(Boundary(Path(sys.argv[1]), sys.argv[2]))
    main(sys.argv[3:])
