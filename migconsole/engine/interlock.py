"""The interlock with dumps that this run knows nothing of: somebody else's pg_dump, or a backup from another shell.

A dump holds a lock on every table until it ends. What alters one waits for it and makes everybody else wait behind; and
what it would dump is half old, half new. So the server is asked before anything that changes the database starts, and
the policy forbids it while there is one, unless a person says why not to wait.
"""

from __future__ import annotations

from collections.abc import Callable

from migconsole.engine.ports import Database
from migconsole.errors import TargetError


class Interlock:
    """What was seen at the last look; ``changed`` is told when that is something else than before."""

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self._database = database
        self._changed = changed
        self.seen: tuple[str, ...] = ()

    async def look(self) -> None:
        """Ask the server. Raises TargetError when it cannot be asked: nothing is taken for none."""
        found = tuple(await self._database.dumps())
        if found != self.seen:
            self.seen = found
            self._changed()

    async def again(self) -> None:
        """Look again where something was seen, so that it does not stand in the way when it has ended."""
        if self.seen:
            await self.look()

    async def ahead(self) -> None:
        """Look before a person is asked to confirm; a server that cannot be asked is told at the start itself."""
        try:
            await self.look()
        except TargetError:
            return
