"""The files of a run's record, for a session or a watcher that keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from migconsole.adapters.notify import AppriseSender
from migconsole.adapters.runs import RunDirectory
from migconsole.adapters.seals import keep_seal
from migconsole.domain.seals import Seal
from migconsole.engine.ports import Surroundings
from migconsole.engine.record_ports import Delivery
from migconsole.errors import MigconsoleError


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


class EvidenceSender:
    """``engine.record_ports.Sender``: messages go to their services, and the evidence to the folders that want it."""

    def __init__(self, services: AppriseSender, directory: RunDirectory, surroundings: Surroundings) -> None:
        self._services = services
        self._directory = directory
        self._project = surroundings.project
        self._redact = surroundings.redact

    def name(self, destination: int) -> str:
        """How the checklist calls it."""
        return self._services.name(destination)

    def send(self, destination: int, title: str, text: str) -> Delivery:
        """Send the message, or write an evidence bundle of a name of its own, so that none replaces an earlier one."""
        folder = self._services.folder(destination)
        if not folder:
            return self._services.send(destination, title, text)
        from migconsole.wiring import reporting  # noqa: PLC0415 - it costs more to load than a console needs to start

        at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        path = self._project / folder / f"{self._directory.path.name}-{at}-evidence.tar.gz"
        if not path.parent.is_dir():
            return Delivery("failed", f"there is no folder {path.parent}")
        try:
            reporting.bundle(self._directory, self._redact, path)
        except (OSError, MigconsoleError) as error:
            return Delivery("failed", str(error))
        return Delivery("delivered", path.name)
