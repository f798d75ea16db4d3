"""``health.db``: what the watcher has sampled. One process writes it, any number read it.

``HealthWriter`` is the watcher's, ``HealthReader`` everybody else's (``engine.ports.HealthSource``).
"""

from __future__ import annotations

from migconsole.adapters.health_store.reader import HealthReader
from migconsole.adapters.health_store.writer import HealthWriter

__all__ = ["HealthReader", "HealthWriter"]
