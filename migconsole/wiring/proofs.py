"""``migconsole prove``: restore a backup beside the database, compare, and leave it armed for a swap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from migconsole.adapters import processes
from migconsole.adapters.backup.preflight import Assumptions
from migconsole.adapters.backup.proving import Proof, Proven, prove, swap_blockers
from migconsole.adapters.jobs.outcomes import JobOutcome
from migconsole.adapters.runs import write_durably
from migconsole.domain.events import Kind
from migconsole.domain.quantities import parse_duration, parse_size
from migconsole.domain.restore_gate import OVERRIDE_REASON
from migconsole.domain.rollback import Names
from migconsole.domain.rollback_by_hand import NAME, by_hand
from migconsole.errors import UsageError
from migconsole.wiring.backups import restore_point
from migconsole.wiring.restore_jobs import Asked, Reports, Setting, Speaker, carried_out, conclude, stated


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Asked):
    """What the command line gave."""

    backup: str
    jobs: int = 1
    keep: bool = False
    max_lag: str = "30s"
    disk_free: str = ""
    rewrites: str = ""
    give_up: str = ""


async def _given_up(setting: Setting, reports: Reports, reason: str, standing: str) -> None:
    """Record that the run has no armed copy any more before it is dropped, so that a death cannot hide it."""
    why = f"its armed copy was dropped to make room for the next proof: {reason}"
    data = {"state": "proven", "backup": standing, "side": "", "why": why}
    fact = {"kind": str(Kind.RESTORE_POINT), "key": f"{standing}:given-up:{processes.new_id()}", "data": data}
    await stated(setting, fact, reports)


async def prove_backup(options: Options, speak: Speaker) -> int:
    """Prove a backup; the exit code. Raises MigconsoleError when it is not proven."""
    reports = Reports(speak)

    async def work() -> JobOutcome:
        lag, assumed = _quantities(options)
        setting = await options.prepared("prove", reports)
        choice = setting.choice
        reports.say(f"{setting.identity.name}, PostgreSQL {setting.identity.version}")
        reports.say(f"client programs {choice.clients.version} in {choice.clients.bindir}: {choice.why}")
        if not choice.same_major:
            reports.say("they are of another major than the server: the comparison with the manifest decides")
        proof = Proof(
            _path(options.backup, setting),
            setting.target,
            setting.identity,
            choice,
            setting.toolbox,
            setting.run_id,
            jobs=max(1, options.jobs),
            keep=options.keep,
            max_lag=lag,
            assumed=assumed,
            give_up=options.give_up.strip(),
            giving_up=partial(_given_up, setting, reports, options.give_up.strip()),
        )
        proven = await prove(proof, reports)
        if proven.armed:
            path = write_by_hand(proven, setting)
            reports.say(f"the rollback for a person with psql: {path}")
        for line in swap_blockers(proven.findings):
            reports.say(f"before a swap: {line}")
        outcome = outcome_of(proven, reports.lines, reports.facts)
        await conclude(setting, outcome)
        state = "armed" if proven.armed else "proven"
        speak(f"backup {proven.backup.manifest.id}: {state}", {"event": "proof", "state": state, **outcome.values})
        return outcome

    return await carried_out(work, reports)


def _quantities(options: Options) -> tuple[float, Assumptions]:
    try:
        free = parse_size(options.disk_free) if options.disk_free else None
        rewrites = parse_size(options.rewrites) if options.rewrites else None
        lag = parse_duration(options.max_lag)
    except ValueError as error:
        raise UsageError(
            "An option cannot be read", str(error), "Sizes are such as 200GB, durations such as 30s."
        ) from None
    if options.give_up and len(options.give_up.strip()) < OVERRIDE_REASON:
        raise UsageError(
            "--give-up-armed takes a reason", f"Of at least {OVERRIDE_REASON} characters; it is on record."
        )
    return lag, Assumptions(free, rewrites)


def _path(given: str, setting: Setting) -> Path:
    """The backup: a folder, or without one the newest of the run."""
    if given:
        return Path(given).expanduser().absolute()
    newest = setting.run.state.restore_points.newest if setting.run else None
    if newest is None or not newest.path:
        raise UsageError("No backup is named", remedy="Name its folder, or take one for this run first.")
    return Path(newest.path)


def write_by_hand(proven: Proven, setting: Setting) -> Path:
    """Leave the swap as a script: in the run's directory, beside the dump outside of a run."""
    folder = setting.run.directory.path if setting.run else proven.backup.path
    manifest = proven.backup.manifest
    text = by_hand(
        Names.of(manifest.database, proven.owner),
        host=setting.target.host,
        port=setting.target.port,
        user=setting.target.user,
        owner=proven.owner,
        backup=manifest.id,
        at=manifest.server_time,
        comment=manifest.properties.comment,
    )
    write_durably(folder / NAME, text.encode("utf-8", "replace"))
    return folder / NAME


def outcome_of(proven: Proven, lines: Sequence[str], before: Sequence[Mapping[str, Any]] = ()) -> JobOutcome:
    """What a proof is to the run: a restore point that is proven, or armed, and one that it took the place of.

    ``before`` are facts that were put on record on the way.
    """
    manifest = proven.backup.manifest
    state = "armed" if proven.armed else "proven"
    values: Mapping[str, Any] = {
        "rows": manifest.rows,
        "tables": sum(relation.kind == "r" for relation in manifest.observed.relations),
        "wal": proven.wal,
        "armed": proven.armed,
        **proven.durations,
    }
    if proven.still_armed == manifest.id:
        state = "armed"
    facts = [restore_point(proven.backup, state, side=proven.side, durations=proven.durations, proven_at=proven.at)]
    facts[0]["key"] = f"{manifest.id}:{state}:{proven.at}"
    if proven.replaced and proven.replaced != manifest.id:
        why = f"its side database now holds backup {manifest.id}"
        data = {"state": "proven", "backup": proven.replaced, "side": "", "why": why}
        facts.insert(0, {"kind": facts[0]["kind"], "key": f"{proven.replaced}:replaced:{proven.at}", "data": data})
    captured = {"prove_side": proven.side, "prove_backup": manifest.id}
    return JobOutcome("passed", (), list(lines)[-200:], values, captured, [*before, *facts])
