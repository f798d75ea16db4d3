"""The rollback wizard: it looks, shows, asks, and puts a decision on record; it executes nothing by itself."""

from __future__ import annotations

from migconsole.tui.screens.rollback.screen import RollbackScreen

__all__ = ["RollbackScreen"]
