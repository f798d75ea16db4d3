"""Checklists that were written as Markdown become YAML: nothing is lost, and what cannot be decided is said."""

from __future__ import annotations

from migconsole.adapters.importing.convert import Imported, convert
from migconsole.adapters.importing.emit import emit
from migconsole.adapters.importing.markdown import parse

__all__ = ["Imported", "convert", "emit", "parse"]
