"""The files of a run's record, for a session or a watcher that keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from migconsole.adapters.runs import RunDirectory
from migconsole.adapters.seals import keep_seal
from migconsole.domain.seals import Seal


class RunRecord:
    """``engine.record_ports.RecordFiles`` in a run's directory."""

    def __init__(self, directory: RunDirectory, redact: Callable[[str], str]) -> None:
        self._directory = directory
        self._redact = redact

    def keep_seal(self, seal: Seal) -> None:
        """Keep a seal beside the journal."""
        keep_seal(self._directory.path, seal)

    def publish(self) -> tuple[Sequence[Path], Seal]:
        """Write the reports into the run directory."""
        # Only at the end of a run: its parts cost more to load than a console needs to start.
        from migconsole.wiring import reporting  # noqa: PLC0415 - as above

        return reporting.write_all(self._directory, self._redact)
