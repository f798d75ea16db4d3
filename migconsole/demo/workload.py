"""The demo's application: a light load on the sample database, as a process of its own.

``python -m migconsole.demo.workload --project DIR [--parent PID]`` with DATABASE_URL in the environment. Four sessions
of fulfillment-api and two of fulfillment-worker make some thirty transactions a second, however slow the answers are.
It lets go of all sessions while ``ops/state/stopped`` exists, comes back after every lost connection, and ends when
its parent or its project is gone, or, without a parent, when the server has been unreachable for two minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from migconsole.demo.guard import alive
from migconsole.demo.project import STATE, write_private

API = "fulfillment-api"
WORKER = "fulfillment-worker"
_API_SESSIONS, _API_PAUSE = 4, 0.14
_WORKER_SESSIONS, _WORKER_PAUSE = 2, 0.35
_REPORT_EVERY = 10.0
_PATIENCE = 120.0
_GLANCE = 0.1
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncio.TimeoutError)

Transaction = Callable[[Any, random.Random], Awaitable[None]]


async def _recent_orders(connection: Any, chance: random.Random) -> None:
    await connection.fetch(
        "SELECT id, number, status, total FROM orders WHERE client_id = $1 ORDER BY placed_at DESC LIMIT 20",
        chance.randint(1, 1200),
    )


async def _product(connection: Any, chance: random.Random) -> None:
    number = chance.randint(1, 24000)
    await connection.fetchrow(
        "SELECT id, name, unit_price, stock FROM products WHERE client_id = $1 AND sku = $2",
        1 + number % 1200,
        f"SKU-{number:06}",
    )


async def _alerts(connection: Any, chance: random.Random) -> None:
    await connection.fetch(
        "SELECT severity, message FROM alerts WHERE client_id = $1 AND NOT acknowledged", chance.randint(1, 1200)
    )


async def _order(connection: Any, chance: random.Random) -> None:
    client, number = chance.randint(1, 1200), f"FO-{time.time_ns()}"
    async with connection.transaction():
        order = await connection.fetchval(
            "INSERT INTO orders (client_id, number, total) VALUES ($1, $2, $3) RETURNING id",
            client,
            number,
            chance.randint(10, 900),
        )
        await connection.execute(
            "INSERT INTO order_items (order_id, product_id, quantity, unit_price)"
            " SELECT $1, id, 1, unit_price FROM products WHERE client_id = $2 ORDER BY id LIMIT 2",
            order,
            client,
        )


async def _ship(connection: Any, chance: random.Random) -> None:
    async with connection.transaction():
        order = await connection.fetchval(
            "SELECT id FROM orders WHERE status = 'PENDING' ORDER BY placed_at LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
        if order is None:
            return
        await connection.execute("UPDATE orders SET status = 'SHIPPED' WHERE id = $1", order)
        await connection.execute(
            "INSERT INTO shipments (order_id, carrier, tracking_number) VALUES ($1, $2, $3)",
            order,
            chance.choice(("DHL", "DPD", "UPS")),
            f"TRK{time.time_ns()}",
        )


async def _deliver(connection: Any, chance: random.Random) -> None:
    await connection.execute(
        "UPDATE shipments SET delivered_at = now() WHERE order_id = $1 AND delivered_at IS NULL",
        chance.randint(130000, 146000),
    )


_API_MIX: tuple[Transaction, ...] = (_recent_orders, _recent_orders, _product, _product, _alerts, _order)
_WORKER_MIX: tuple[Transaction, ...] = (_ship, _deliver)


class Application:
    """The state that the sessions share: whether they may run, what they logged, how fast they were."""

    def __init__(self, url: str, state: Path, parent: int | None) -> None:
        self.url = url
        self.state = state
        self.parent = parent
        self.ending = False
        self.stopped = True
        self.reached = time.monotonic()
        self._connected = {API: 0, WORKER: 0}
        self._times: list[float] = []
        self._broken: set[str] = set()

    def look(self) -> None:
        """See whether the application has been told to stop, which closes its sessions but not its process."""
        stopped = self.ending or (self.state / "stopped").exists()
        if stopped != self.stopped:
            self.stopped = stopped
            for name in (API, WORKER):
                self.log("INFO", name, "stopped" if stopped else "starting")

    def log(self, level: str, name: str, text: str) -> None:
        """Add a line to the application's log; a folder that is gone means that the demo is."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            with (self.state / "app.log").open("a", encoding="utf-8") as stream:
                stream.write(f"{stamp} {level} {name} {text}\n")
        except OSError:
            self.ending = True

    def connected(self, name: str) -> None:
        """Note a session that has been opened, and log the first of each kind."""
        self._broken.discard(name)
        self._connected[name] += 1
        if self._connected[name] == 1:
            self.log("INFO", name, "database client loaded, connected")

    def lost(self, name: str, error: BaseException | None) -> None:
        """Note a session that has ended; an error is logged once, not at every vain attempt to come back."""
        if error is not None and name not in self._broken:
            self._broken.add(name)
            self.log("ERROR", name, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")

    def closed(self, name: str) -> None:
        """Note that a session is no longer open."""
        self._connected[name] -= 1

    def took(self, seconds: float) -> None:
        """Note a transaction and its duration."""
        self.reached = time.monotonic()
        self._times.append(seconds)

    def report(self) -> None:
        """Log rate and response times since the last report."""
        if self._times:
            mean, slowest = sum(self._times) / len(self._times), max(self._times)
            rate = len(self._times) / _REPORT_EVERY
            self.log(
                "INFO", API, f"{rate:.1f} transactions/s, mean {mean * 1000:.1f} ms, slowest {slowest * 1000:.0f} ms"
            )
            self._times.clear()

    def orphaned(self) -> bool:
        """Whether nobody can want this process any more."""
        if not self.state.exists() or (self.parent is not None and not alive(self.parent)):
            return True
        if self.stopped:
            self.reached = time.monotonic()
        return self.parent is None and time.monotonic() - self.reached > _PATIENCE


async def _session(application: Application, name: str, mix: tuple[Transaction, ...], pause: float, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same demo every time is the point
    while not application.ending:
        if application.stopped:
            await asyncio.sleep(_GLANCE)
            continue
        try:
            settings = {"application_name": name, "statement_timeout": "30s"}
            connection = await asyncpg.connect(application.url, server_settings=settings, timeout=5)
        except _LOST as error:
            application.lost(name, error)
            await asyncio.sleep(5 * _GLANCE)
            continue
        application.connected(name)
        failure: BaseException | None = None
        try:
            while not application.stopped:
                began = time.monotonic()
                await chance.choice(mix)(connection, chance)
                application.took(time.monotonic() - began)
                await asyncio.sleep(pause * chance.uniform(0.5, 1.5))
        except _LOST as error:
            failure = error
        finally:
            application.closed(name)
            application.lost(name, failure)
            with contextlib.suppress(*_LOST):
                await connection.close(timeout=1)


async def _watch(application: Application) -> None:
    """Notice starts, report, and end everything when it is no longer wanted."""
    reported = time.monotonic()
    while not application.ending:
        application.look()
        if time.monotonic() - reported > _REPORT_EVERY:
            application.report()
            reported = time.monotonic()
        if application.orphaned():
            application.ending = True
        await asyncio.sleep(_GLANCE)
    application.look()


async def run(application: Application) -> None:
    """Work until told to end."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, setattr, application, "ending", True)
    sessions = [_session(application, API, _API_MIX, _API_PAUSE, seed) for seed in range(_API_SESSIONS)]
    sessions += [_session(application, WORKER, _WORKER_MIX, _WORKER_PAUSE, 100 + n) for n in range(_WORKER_SESSIONS)]
    work = [asyncio.ensure_future(session) for session in sessions]
    await _watch(application)
    # A session that waits for a lock does not look up; it is not worth waiting for.
    await asyncio.wait(work, timeout=2)
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(description="the demo's background load")
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--parent", type=int)
    options = parser.parse_args()
    os.umask(0o077)
    with contextlib.suppress(PermissionError):  # it leads its session already
        os.setsid()
    state = options.project / STATE
    write_private(state / "pid", f"{os.getpid()}\n")
    asyncio.run(run(Application(os.environ["DATABASE_URL"], state, options.parent)))


if __name__ == "__main__":
    main()
