"""Built-in checks: what a checklist's ``check`` items can ask, each read-only, with named values for ``expect``."""

from __future__ import annotations

from migconsole.adapters.postgres.checks import (
    backups,
    disk,
    fingerprint,
    host,
    log,
    migrations,
    objects,
    performance,
    response,
    restore_points,
    reviewed,
    schema,
    server,
    stability,
)
from migconsole.adapters.postgres.checks.base import CHECK_DOCS, CHECKS, CheckDoc, Probe, verify_arguments

__all__ = [
    "CHECKS",
    "CHECK_DOCS",
    "CheckDoc",
    "Probe",
    "backups",
    "disk",
    "fingerprint",
    "host",
    "log",
    "migrations",
    "objects",
    "performance",
    "response",
    "restore_points",
    "reviewed",
    "schema",
    "server",
    "stability",
    "verify_arguments",
]
