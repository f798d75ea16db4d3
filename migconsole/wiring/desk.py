"""The rollback desk of a run: looks at its databases when the wizard asks, and plans by the domain's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from migconsole.adapters.rollback.scripts import control_of
from migconsole.domain import rollback_deeds, rollback_options
from migconsole.domain.quantities import parse_size
from migconsole.domain.rollback_means import Means
from migconsole.domain.rollback_plan import Option, Plan, Strategy
from migconsole.domain.rollback_survey import Survey
from migconsole.errors import UsageError

if TYPE_CHECKING:
    from migconsole.wiring.opening import Options


class RunDesk:
    """``engine.backing_out.RollbackDesk`` for the run in ``directory``."""

    def __init__(self, directory: Path, options: Options) -> None:
        self._directory = directory
        self._options = replace(options, variables={})

    async def survey(self, means: Means) -> Survey:
        """Read everything a rollback is decided on, on connections of its own. Raises UsageError for a wrong size."""
        from migconsole.wiring.rolling_back import Wanted, rolling  # noqa: PLC0415 - needs the opening of runs itself

        backup = Path(means.backup) if means.backup else None
        wanted = Wanted(self._options, run=str(self._directory), backup=backup, free=_bytes(means.free))
        async with rolling(wanted) as it:
            return await it.survey()

    def options(self, survey: Survey, means: Means) -> Sequence[Option]:
        """Every way back."""
        return rollback_options.options(survey, looked_at(means))

    def plan(self, survey: Survey, strategy: Strategy, means: Means) -> Plan:
        """The exact steps of a way back."""
        return rollback_deeds.rollback_plan(survey, strategy, looked_at(means))

    def put_back(self, survey: Survey) -> Plan:
        """The exact steps of undoing the swap."""
        return rollback_deeds.put_back_plan(survey)

    def purge(self, survey: Survey, database: str) -> Plan:
        """The exact steps of dropping a database that is kept aside."""
        return rollback_deeds.purge_plan(survey, database)


def looked_at(means: Means) -> Means:
    """What was named, with what of it is not there, and what in the script leaves its transaction."""
    if not means.script:
        return means
    script = Path(means.script)
    if not script.is_file():
        return replace(means, missing=means.script)
    return replace(means, control=control_of(script))


def _bytes(text: str) -> int | None:
    try:
        return parse_size(text) if text else None
    except ValueError as error:
        raise UsageError("What is free on the server's volume is no size", str(error)) from None
