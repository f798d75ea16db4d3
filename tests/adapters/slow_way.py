"""A way to a server that takes its time, and counts what goes along it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from migconsole.adapters.postgres.target import resolve_target


@dataclass
class Way:
    """``url`` is the server's by the slow way; ``trips`` counts what was sent to the server in one piece."""

    url: str
    trips: int = 0


@asynccontextmanager
async def slow_way(url: str, delay: float) -> AsyncIterator[Way]:
    """A port behind which the server of ``url`` lies, ``delay`` seconds there and back."""
    port = resolve_target(url, environment={}).port
    tasks: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: bool) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                way.trips += counts
                await asyncio.sleep(delay / 2)
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        for carrying in (carry(reader, back, True), carry(there, writer, False)):
            tasks.add(asyncio.create_task(carrying))

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    way = Way(url.replace(f":{port}/", f":{server.sockets[0].getsockname()[1]}/"))
    try:
        yield way
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
