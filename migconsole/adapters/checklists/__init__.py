"""Checklist files: finding them, loading them with all their problems at once, and their JSON Schema."""

from __future__ import annotations

from migconsole.adapters.checklists.library import available, find
from migconsole.adapters.checklists.loader import Loaded, load, parse, sha256_of
from migconsole.adapters.checklists.problems import ChecklistError, Problem
from migconsole.adapters.checklists.schema import schema

__all__ = ["ChecklistError", "Loaded", "Problem", "available", "find", "load", "parse", "schema", "sha256_of"]
