"""Waiting for a condition with a deadline: what tests do instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_STEP = 0.01


def wait_until(condition: Callable[[], T], timeout: float = 5.0, message: str = "") -> T:
    """Call ``condition`` until it returns something true, and return that; AssertionError after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(condition, timeout, message, value))
        time.sleep(_STEP)


# The signature mirrors wait_until on purpose.
async def eventually(condition: Callable[[], T | Awaitable[T]], timeout: float = 5.0, message: str = "") -> T:  # noqa: ASYNC109
    """The same for asyncio; the condition may be a plain or a coroutine function."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        result: T = await value if inspect.isawaitable(value) else value
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(condition, timeout, message, result))
        await asyncio.sleep(_STEP)


def _complaint(condition: Callable[[], object], timeout: float, message: str, last: object) -> str:
    what = message or getattr(condition, "__name__", repr(condition))
    return f"not within {timeout} s: {what} (last value: {last!r})"
