"""A colour theme as data: what the theme files hold and the screens draw with.

Colours are ``#rgb``, ``#rrggbb`` or a terminal's own ``ansi_…`` names; a screen never names a colour, only a slot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from migconsole.domain.items import ItemState

BASE = (
    "primary",
    "secondary",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "success",
    "warning",
    "error",
)
"""Every theme sets these; everything else may be derived from them."""


def status_slot(state: ItemState) -> str:
    """The slot that colours an item's state.

    >>> status_slot(ItemState.NOT_APPLICABLE)
    'status-not-applicable'
    """
    return "status-not-applicable" if state is ItemState.NOT_APPLICABLE else f"status-{state.value}"


DERIVED: Mapping[str, str] = {
    "status-todo": "foreground",
    "status-running": "accent",
    "status-verified": "success",
    "status-attested": "primary",
    "status-ok-with-issues": "warning",
    "status-failed": "error",
    "status-interrupted": "warning",
    "status-skipped": "secondary",
    "status-not-applicable": "secondary",
    "status-forced": "error",
    "status-deferred": "secondary",
    "status-regressed": "error",
    "danger": "error",
    "muted": "secondary",
    "line": "secondary",
    "env-production": "error",
    "env-staging": "warning",
    "env-development": "success",
    "env-text": "background",
    "stderr": "warning",
    "stale": "secondary",
    "good": "success",
    "caution": "warning",
}
"""Semantic slot → the base colour it falls back to when a theme does not set it."""


@dataclass(frozen=True, slots=True)
class Palette:
    """One theme. ``colours`` holds every name of BASE, ``slots`` every name of DERIVED."""

    name: str
    title: str
    dark: bool
    colours: Mapping[str, str]
    slots: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def complete(colours: Mapping[str, str], slots: Mapping[str, str]) -> dict[str, str]:
        """``slots`` with every missing one derived from ``colours``."""
        return {slot: slots.get(slot, colours[base]) for slot, base in DERIVED.items()}
