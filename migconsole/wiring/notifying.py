"""``migconsole notify``: one message to the services of a run's checklist, by hand or as an item of the run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from migconsole.adapters.jobs.outcomes import JobOutcome, write_outcome
from migconsole.adapters.notify import AppriseSender, destinations
from migconsole.adapters.runs import opened_data
from migconsole.domain.secrets import Secrets
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.record_ports import Delivery
from migconsole.errors import UsageError
from migconsole.wiring import opening, reporting


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message: a line for each destination."""

    lines: tuple[str, ...]
    delivered: bool


def send(
    state_dir: str | None, text: str, *, title: str = "", to: Sequence[str] = (), url_from: str = "", run: str = ""
) -> Sent:
    """Send a message, and leave the outcome of the job where it is one. Raises UsageError when there is nobody to tell.

    The item's evidence is the text that was sent, when, and what each service said.
    """
    text = sanitise(text)
    if not text.strip():
        raise UsageError("A message needs a text")
    sender, chosen, default = _alone(url_from) if url_from and not run else _of_run(state_dir, run, to)
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    results = {name: sender.send(number, sanitise_line(title or default), text) for name, number in chosen.items()}
    lines = [f"{name}: {_words(delivery)}" for name, delivery in results.items()]
    delivered = all(delivery.result == "delivered" for delivery in results.values())
    write_outcome(
        JobOutcome(
            "passed" if delivered else "failed",
            reasons=() if delivered else tuple(lines),
            lines=(f"sent at {at}", *text.splitlines(), *lines),
            values={"delivered": sum(d.result == "delivered" for d in results.values()), "services": len(results)},
            captured={"notify_time": at},
        )
    )
    return Sent((f"sent at {at}", *lines), delivered)


def _words(delivery: Delivery) -> str:
    return f"{delivery.result}{f' ({delivery.detail})' if delivery.detail else ''}"


def _alone(variable: str) -> tuple[AppriseSender, Mapping[str, int], str]:
    address = os.environ.get(variable, "")
    if not address:
        raise UsageError(f"The environment variable {variable} has no value", remedy="It holds the service's address.")
    return AppriseSender([f"${{{variable}}}"], [address], Secrets([address]).redact), {variable: 0}, "migconsole"


def _of_run(state_dir: str | None, run: str, to: Sequence[str]) -> tuple[AppriseSender, Mapping[str, int], str]:
    directory = reporting.directory_of(state_dir, run or None)
    loaded, setting = opening.restored(directory, opening.Options(state_dir=state_dir))
    known = destinations(loaded.checklist.notifications)
    if not known:
        raise UsageError(
            "This checklist has no notifications", str(directory.checklist), "Add notifications: [{on, to}]."
        )
    unknown = [name for name in to if name not in known]
    if unknown:
        raise UsageError(f"No notification goes to “{unknown[0]}”", f"There are: {', '.join(known)}.")
    chosen = {name: known[name] for name in to} if to else known
    return setting.sender, chosen, str(opened_data(directory).get("title", ""))
