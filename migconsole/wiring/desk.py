"""The rollback desk of a run: looks at its databases when the wizard asks, and plans by the domain's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from migconsole.domain import rollback_deeds, rollback_options
from migconsole.domain.rollback_plan import Option, Plan, Strategy
from migconsole.domain.rollback_survey import Survey

if TYPE_CHECKING:
    from migconsole.wiring.opening import Options


class RunDesk:
    """``engine.backing_out.RollbackDesk`` for the run in ``directory``."""

    def __init__(self, directory: Path, options: Options) -> None:
        self._directory = directory
        self._options = replace(options, variables={})

    async def survey(self) -> Survey:
        """Read everything a rollback is decided on, on connections of its own."""
        from migconsole.wiring.rolling_back import Wanted, rolling  # noqa: PLC0415 - needs the opening of runs itself

        async with rolling(Wanted(self._options, run=str(self._directory))) as it:
            return await it.survey()

    def options(self, survey: Survey) -> Sequence[Option]:
        """Every way back."""
        return rollback_options.options(survey)

    def plan(self, survey: Survey, strategy: Strategy) -> Plan:
        """The exact steps of a way back."""
        return rollback_deeds.rollback_plan(survey, strategy)

    def put_back(self, survey: Survey) -> Plan:
        """The exact steps of undoing the swap."""
        return rollback_deeds.put_back_plan(survey)

    def purge(self, survey: Survey, database: str) -> Plan:
        """The exact steps of dropping a database that is kept aside."""
        return rollback_deeds.purge_plan(survey, database)
