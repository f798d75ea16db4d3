"""A console's process for journal tests: ``python -m tests.adapters.journal_writer RUN.DB ORDERS``.

ORDERS is JSON. It prints one line for everything that is done and durable, so that a test may kill it at any moment and
compare.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.domain.events import Draft, Kind
from migconsole.errors import MigconsoleError


def say(*words: object) -> None:
    print(*words, flush=True)


async def main(path: Path, orders: dict[str, Any]) -> None:
    name = orders.get("name", "writer")
    journal = await SqliteJournal.open(path, Console.here(name))
    await journal.heartbeat()
    if orders.get("lease"):
        say("lease", await journal.take_lease(name, orders.get("reason", "")))
    if orders.get("wait"):
        say("ready")
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if "file_limit" in orders:
        resource.setrlimit(resource.RLIMIT_FSIZE, (orders["file_limit"], resource.RLIM_INFINITY))
    for number in range(orders.get("count", 0)):
        key = f"fact:{number}" if orders.get("keys") else ""
        text = f"{name} {number} " + "x" * orders.get("padding", 0)
        try:
            event = await journal.append(Draft(Kind.NOTE, {"text": text}, name, key))
        except MigconsoleError as error:
            say("refused", type(error).__name__, json.dumps([error.title, error.remedy]))
            break
        say("done", event.seq, event.hash)
    if "file_limit" in orders:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        event = await journal.append(Draft(Kind.NOTE, {"text": "room again"}, name))
        say("again", event.seq, event.hash)
    if orders.get("stay"):
        say("staying")
        signal.pause()
    if orders.get("close", True):
        await journal.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
