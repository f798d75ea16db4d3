"""What a revert script that did not end well has left: by the server's catalogues, never by psql's exit alone.

``psql -1`` is all or nothing only as long as the script does not end the transaction itself. What it committed before
its error stays, and a schema that is as it was says nothing about rows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from migconsole.adapters import past
from migconsole.adapters.postgres.schema import read_schema
from migconsole.domain.lint import transaction_control
from migconsole.domain.schema_diff import Fingerprint, differences
from migconsole.domain.target import Target
from migconsole.domain.text import sanitise_line
from migconsole.errors import MigconsoleError, UnknownOutcomeError

LEFT_SHOWN = 10
CONTROL_SHOWN = 5
REMEDY = (
    "Look at the database before anything else is done. Do not run the script again as it is: a part of it may be "
    "done. Finish it by hand, or go back another way."
)


async def schema_seen(target: Target, redact: Callable[[str], str]) -> Fingerprint | None:
    """The schema's fingerprint, masked; None where it cannot be read, which must not keep anybody from reverting."""
    try:
        return past.masked(await read_schema(target, ""), redact)
    except MigconsoleError:
        return None


def control_of(script: Path) -> str:
    """The lines of a script that handle transactions, "" for none; also what keeps it from being read is one."""
    try:
        found = transaction_control(script.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return "; ".join(found[:CONTROL_SHOWN]) + ("; …" if len(found) > CONTROL_SHOWN else "")


async def judged(
    failure: MigconsoleError, script: Path, before: Fingerprint | None, target: Target, redact: Callable[[str], str]
) -> MigconsoleError:
    """The failure itself where nothing of the script can have stayed, else an UnknownOutcomeError that says why."""
    why = f"{failure.title}: {failure.detail}"
    now = await schema_seen(target, redact) if before is not None else None
    if before is None or now is None:
        what = f"the schema could not be read {'before' if before is None else 'after'} it"
        return UnknownOutcomeError("The script failed, and what of it stays is not known", f"{what}. {why}", REMEDY)
    left = differences(before, now)
    if left:
        more = f" · … and {len(left) - LEFT_SHOWN} more" if len(left) > LEFT_SHOWN else ""
        what = sanitise_line(" · ".join(left[:LEFT_SHOWN]) + more)
        return UnknownOutcomeError("The script failed half way, and a part of it stays", f"{what}. {why}", REMEDY)
    if control := control_of(script):
        itself = f"it handles transactions itself ({sanitise_line(redact(control))})"
        what = f"{itself}; the schema is as it was, the rows may not be"
        return UnknownOutcomeError("The script failed, and may have changed rows", f"{what}. {why}", REMEDY)
    return failure
