"""Signing a run off from the command line: from its directory alone, whether or not a console has it open."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

from migconsole.adapters import checklists, processes
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.adapters.runs import RunDirectory
from migconsole.domain.deviations import Deviation
from migconsole.domain.lifecycle import RunState
from migconsole.domain.signing import Signature
from migconsole.engine.conduct import Conduct
from migconsole.engine.recorder import Recorder
from migconsole.engine.signing import Signing
from migconsole.errors import StoppedError, UsageError
from migconsole.report.words import signature_words, stamp
from migconsole.wiring import reporting
from migconsole.wiring.recording import RunRecord


@contextlib.asynccontextmanager
async def opened(state_dir: str | None, name: str | None, actor: str = "") -> AsyncIterator[tuple[Signing, Recorder]]:
    """The sign-off of a run. Raises JournalError and UsageError."""
    directory = reporting.directory_of(state_dir, name)
    redact = reporting.redaction(directory, state_dir)
    person = actor or processes.login_name()
    journal = await SqliteJournal.open(directory.journal, Console.here(person))
    try:
        recorder = Recorder(journal, person, redact)
        await recorder.catch_up()
        yield _signing(directory, recorder, redact), recorder
    finally:
        await journal.close()


async def end(recorder: Recorder, signing: Signing, ending: str, person: str, reason: str) -> None:
    """End the run, as its driver for that moment. Raises StoppedError while a console drives it, or work is left."""
    if not await recorder.take_lease():
        raise StoppedError("A console drives this run", "Only who drives it ends it.", "End it there (E), or close it.")
    try:
        await Conduct(recorder, signing.checklist, "", lambda: True).end(RunState(ending), person, reason)
    finally:
        await recorder.release_lease()


def seen(signing: Signing, recorder: Recorder, digest: str) -> int:
    """The event up to which a person has seen the journal, by the hash that the sign-off showed; 0 without one.

    Raises StoppedError, with what has to be seen first, where deviations stand and nothing was given; UsageError for
    a hash that no event has.
    """
    wanted = digest.strip().lower()
    if wanted:
        found = [event.seq for event in recorder.events if event.hash.startswith(wanted)]
        if len(wanted) < SHORTEST or len(found) != 1:
            raise UsageError("No event has this hash", digest[:80], "Give what `migconsole sign` shows.")
        return found[0]
    deviations = signing.deviations()
    if not deviations or signing.refusal():
        return 0
    count = "1 deviation stands, and has" if len(deviations) == 1 else f"{len(deviations)} deviations stand, and have"
    raise StoppedError(
        f"{count} to be seen before anybody signs",
        "\n".join(_deviation(entry).strip() for entry in deviations),
        f"Sign again with --seen {recorder.run.head_hash[:16]}",
    )


SHORTEST = 8
"""Characters of a hash that say which one is meant."""


def _deviation(entry: Deviation) -> str:
    return f"  {entry.sort.value:<22} {entry.what}{f': {entry.why}' if entry.why else ''}"


def _signing(directory: RunDirectory, recorder: Recorder, redact: Callable[[str], str]) -> Signing:
    checklist = checklists.load(directory.checklist).checklist
    return Signing(recorder, checklist, RunRecord(directory, redact), read_only=False)


def data(signing: Signing, recorder: Recorder) -> dict[str, Any]:
    """Where the sign-off stands, for JSON."""
    run = recorder.run
    return {
        "run": run.run_id,
        "head": run.head,
        "head_hash": run.head_hash,
        "can_sign": not signing.refusal(),
        "why_not": signing.refusal(),
        "closed_at": run.life.closed or None,
        "roles": [{"role": role, "signature": _plain(signing.state.signatures.get(role))} for role in signing.roles],
        "deviations": [{**asdict(found), "sort": found.sort.value} for found in signing.deviations()],
    }


def _plain(signature: Signature | None) -> dict[str, Any] | None:
    return None if signature is None else asdict(signature)


def _words(signature: Signature | None) -> str:
    if signature is None:
        return "not signed"
    return f"{signature.name}, {stamp(signature.at)}, {signature_words(signature)}"


def lines(signing: Signing, recorder: Recorder) -> list[str]:
    """The same for a person: first what must have been seen, then who has signed."""
    run = recorder.run
    found = [f"{run.title}: sign-off on journal {run.head}, {run.head_hash[:16]}"]
    deviations = signing.deviations()
    found += ["", f"Deviations that stand ({len(deviations)})" if deviations else "No deviation stands"]
    found += [_deviation(entry) for entry in deviations]
    found.append("")
    for role in signing.roles:
        signature = signing.state.signatures.get(role)
        found.append(f"  {role:<22} {_words(signature)}")
    why = signing.refusal()
    if run.life.closed:
        found += ["", f"Closed {stamp(run.life.closed)} by {run.life.closed_by}"]
    elif why:
        found += ["", f"Nobody can sign now: {why}"]
    return found
