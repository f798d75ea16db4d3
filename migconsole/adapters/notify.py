"""Notifications by apprise: one library for mail, chat and paging services, which is an extra.

An address of a service is a secret (it holds a token): it is never shown, logged or recorded, only the name under which
the checklist knows it.
"""

from __future__ import annotations

import io
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from migconsole.domain.checklist import COPY, Notification
from migconsole.domain.text import sanitise_line
from migconsole.domain.variables import Resolver, UnresolvedError
from migconsole.engine.record_ports import Delivery

MISSING = "notifications need the extra “notify”: pip install 'migconsole[notify]'"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{1,20})://", re.IGNORECASE)
_logging = threading.Lock()


def shown(to: str) -> str:
    """A destination as the checklist writes it, without what an address would give away.

    >>> shown("${slack}"), shown("slack://TokenA/TokenB"), shown("https://hooks.example/T0/B1/x"), shown("copy:/mnt")
    ('${slack}', 'slack://…', 'https://…', 'copy:/mnt')
    """
    if re.fullmatch(r"\$\{\w+\}", to.strip()) or to.strip().startswith(COPY):
        return to.strip()
    scheme = _SCHEME.match(to.strip())
    return f"{scheme[1]}://…" if scheme else "…"


def addresses(notifications: Sequence[Notification], resolver: Resolver) -> list[str]:
    """The addresses of a checklist's notifications by their number, "" for one that has no value today."""
    found = []
    for notification in notifications:
        try:
            found.append(resolver.expand(notification.to).strip())
        except UnresolvedError:
            found.append("")
    return found


class AppriseSender:
    """``engine.record_ports.Sender``. ``redact`` masks what a service's complaint may quote."""

    def __init__(
        self, names: Sequence[str], addresses: Sequence[str], redact: Callable[[str], str] = lambda text: text
    ) -> None:
        self._names = [shown(name) for name in names]
        self._addresses = list(addresses)
        self._redact = redact

    def name(self, destination: int) -> str:
        """How the checklist calls it."""
        return self._names[destination]

    def folder(self, destination: int) -> str:
        """Where the evidence is copied to, "" for a destination that takes messages."""
        address = self._addresses[destination]
        return address.removeprefix(COPY).strip() if address.startswith(COPY) else ""

    def send(self, destination: int, title: str, text: str) -> Delivery:
        """Deliver, or say why not."""
        address = self._addresses[destination]
        if not address:
            return Delivery("not sent", f"{self.name(destination)} has no value")
        try:
            import apprise  # noqa: PLC0415 - an extra, and slow to load
        except ImportError:
            return Delivery("not sent", MISSING)
        try:
            return self._sent(apprise, destination, title, text)
        except Exception as error:  # whatever a service's plugin stumbles over, the run goes on
            return Delivery("failed", self._safe(f"{type(error).__name__}: {error}", address))

    def _sent(self, apprise: Any, destination: int, title: str, text: str) -> Delivery:
        address, service = self._addresses[destination], apprise.Apprise()
        if not service.add(address):
            return Delivery("not sent", f"{self.name(destination)} is no address of a service that is known")
        # One at a time: what a delivery logs is its reason, and must not be another's.
        with _logging:
            said, logger = io.StringIO(), logging.getLogger("apprise")
            handler = logging.StreamHandler(said)
            handler.setLevel(logging.WARNING)
            logger.addHandler(handler)
            before, logger.propagate = logger.propagate, False
            try:
                delivered = service.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT)
            finally:
                logger.propagate = before
                logger.removeHandler(handler)
        if delivered:
            return Delivery("delivered")
        return Delivery("failed", self._safe(said.getvalue() or "the service did not take it", address))

    def _safe(self, text: str, address: str) -> str:
        """A complaint without the address, or any longer piece of it."""
        for piece in sorted({address, *re.split(r"[/?&=:@]+", address)}, key=len, reverse=True):
            if len(piece) >= 6:
                text = text.replace(piece, "…")
        return sanitise_line(self._redact(text), 300)


def sender_of(notifications: Sequence[Notification], resolver: Resolver, redact: Callable[[str], str]) -> AppriseSender:
    """The sender of a checklist's notifications with today's values."""
    return AppriseSender([n.to for n in notifications], addresses(notifications, resolver), redact)


def destinations(notifications: Sequence[Notification]) -> Mapping[str, int]:
    """The distinct destinations of a checklist by the name that ``migconsole notify --to`` takes.

    >>> destinations([Notification(("hold",), "${slack}"), Notification(("gate",), "${slack}")])
    {'slack': 0}
    """
    found: dict[str, int] = {}
    for number, notification in enumerate(notifications):
        if notification.copies:
            continue
        variable = re.fullmatch(r"\$\{(\w+)\}", notification.to.strip())
        found.setdefault(variable[1] if variable else f"{number + 1}", number)
    return found
