"""Built-in checks: what a checklist's ``check`` items can ask, each read-only, with named values for ``expect``."""

from __future__ import annotations

from migconsole.adapters.postgres.checks import (
    backups,
    disk,
    host,
    log,
    migrations,
    performance,
    response,
    reviewed,
    schema,
    server,
)
from migconsole.adapters.postgres.checks.base import CHECK_DOCS, CHECKS, CheckDoc, Probe, verify_arguments

__all__ = [
    "CHECKS",
    "CHECK_DOCS",
    "CheckDoc",
    "Probe",
    "backups",
    "disk",
    "host",
    "log",
    "migrations",
    "performance",
    "response",
    "reviewed",
    "schema",
    "server",
    "verify_arguments",
]
