"""The health screen: the database in view before, during and after the migration, at a cost that is shown."""

from migconsole.tui.screens.health.alone import run_alone
from migconsole.tui.screens.health.ports import HealthAccess, HealthOpening, HealthPorts, Signal
from migconsole.tui.screens.health.screen import HealthScreen

__all__ = ["HealthAccess", "HealthOpening", "HealthPorts", "HealthScreen", "Signal", "run_alone"]
