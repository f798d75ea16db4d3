"""Read-only knowledge of migration tools: their files and their tables, never their programs."""

from __future__ import annotations

from migconsole.adapters.migrators.alembic import Alembic
from migconsole.adapters.migrators.dbmate import Dbmate
from migconsole.adapters.migrators.django import Django
from migconsole.adapters.migrators.flyway import Flyway
from migconsole.adapters.migrators.prisma import Prisma
from migconsole.adapters.migrators.sqitch import Sqitch
from migconsole.engine.migrator_ports import Migrator

MIGRATORS: dict[str, Migrator] = {
    tool.name: tool for tool in (Prisma(), Alembic(), Django(), Dbmate(), Sqitch(), Flyway())
}
"""The tools by the name that ``tool:`` takes, in the order in which ``auto`` looks for them."""
