"""Which ways back there are now: each with its time, its loss, and why it is not possible where it is not."""

from __future__ import annotations

from migconsole.domain.quantities import format_duration, format_size
from migconsole.domain.rollback import point_name, quoted
from migconsole.domain.rollback_means import NOTHING_NAMED, Means
from migconsole.domain.rollback_plan import FENCE_SECONDS, SWAP_SECONDS, UNHELD_POOLER_SECONDS, Option, Strategy
from migconsole.domain.rollback_refusals import common_refusals, renaming_refusals, swap_refusals
from migconsole.domain.rollback_state import State
from migconsole.domain.rollback_survey import Form, Survey

_KEPT = "writes since the restore point, kept in the failed database"


def options(survey: Survey, means: Means = NOTHING_NAMED) -> tuple[Option, ...]:
    """Every strategy, in the order in which it is offered, with what was named for the ways that need it."""
    return (
        _app_only(survey, means),
        _revert(survey, means),
        _swap(survey),
        _side_restore(survey),
        *_snapshots(survey),
        _clone(survey),
        _pitr(survey),
        _in_place(survey),
    )


def outage_of_swap(survey: Survey) -> tuple[float, str]:
    """Seconds that clients are shut out by a swap, and what that rests on."""
    swap = survey.measured.swap
    seconds = FENCE_SECONDS + SWAP_SECONDS if swap is None else swap
    basis = "measured elsewhere" if swap is None else "measured in this run"
    if survey.pooler and not survey.hooks.get("resume"):
        return seconds + UNHELD_POOLER_SECONDS, f"{basis}; behind a pooler without hooks expect 15 s and more"
    return seconds, basis


def _app_only(survey: Survey, means: Means) -> Option:
    """The database stays as it is: possible only where a person has said that the old code runs on the new schema."""
    question = (
        "only a person can say whether the previous version runs on the migrated schema: nothing that it reads or "
        "writes was dropped, renamed, retyped or made mandatory (o says how that is known, or --old-app TEXT, or "
        "old_app in the checklist)"
    )
    told = f"said of the old version: {means.old_app}"
    return Option(
        Strategy.APP_ONLY,
        "Only the application goes back",
        _unusable(survey),
        None,
        f"as long as a deployment, which nobody has measured{f'; {told}' if means.old_app else ''}",
        "nothing: the database stays as it is, with everything written since",
        ("Deploy the previous version, run the smoke tests, and watch for constraint errors",),
        executed=False,
        depends=() if means.old_app else (question,),
    )


def _revert(survey: Survey, means: Means) -> Option:
    script = means.script
    why = [*common_refusals(survey), *_unusable(survey)]
    if not script:
        why.append("no revert script is named (o names one, or --script FILE, or script in the checklist)")
    elif means.missing == script:
        why.append(f"the revert script {script} is not there")
    return Option(
        Strategy.REVERT,
        "A forward-only revert script",
        tuple(dict.fromkeys(why)),
        None,
        "as long as the script, which nobody has measured",
        "what the script drops; what was written since stays",
        (f"PGOPTIONS='-c lock_timeout=5s' psql -X -v ON_ERROR_STOP=1 -1 -f {script or 'FILE'}",),
    )


def _unusable(survey: Survey) -> tuple[str, ...]:
    """Why no application, and no script, can go on in the database as it stands; nothing when it can."""
    if survey.situation.stop or survey.forward_only:
        return (survey.situation.means,)
    wrong = [f"this is not the server or database that was pinned: {change}" for change in survey.changed]
    if survey.app is not None and not survey.app.open:
        wrong.append(f"{survey.names.app} accepts no connections: {survey.situation.means}")
    return tuple(wrong)


def _swap(survey: Survey) -> Option:
    seconds, basis = outage_of_swap(survey)
    return Option(
        Strategy.SWAP,
        "Swap the armed side database in",
        swap_refusals(survey),
        seconds,
        basis,
        _KEPT,
    )


def _room(survey: Survey) -> list[str]:
    """Whether a second copy fits; unknown is said in a warning of the restore itself, not here."""
    if survey.size is None or survey.free is None or survey.free > survey.size:
        return []
    return [f"a second copy needs {format_size(survey.size)}, and {format_size(survey.free)} are free"]


def _side_restore(survey: Survey) -> Option:
    seconds, basis = outage_of_swap(survey)
    why = [survey.situation.means] if survey.situation.stop else list(renaming_refusals(survey))
    if not survey.backup:
        why.append("no backup is at hand (o names one, or --backup DIR)")
    if survey.failed is not None:
        why.append(f"{survey.names.failed} is still there: put it back, or purge it first")
    if survey.forward_only:
        why.append("the database is being replaced where it stands, and that only goes on forward")
    elif survey.situation.state in (State.ARMED, State.FENCED):
        why.append("a proven side database is there: swap it in")
    why += _room(survey)
    restore = survey.measured.restore
    known = "restore time unknown" if restore is None else f"after a restore of {format_duration(restore)}"
    return Option(
        Strategy.SIDE_RESTORE,
        "Restore the backup beside it, then swap",
        tuple(why),
        seconds,
        f"{basis}, {known}; the database stays up while it is restored",
        _KEPT,
    )


def _in_place(survey: Survey) -> Option:
    why = list(common_refusals(survey))
    if survey.situation.stop:
        why.append(survey.situation.means)
    if not survey.backup:
        why.append("no backup is at hand (o names one, or --backup DIR)")
    elif not survey.original.create:
        why.append("the backup has no manifest that says how the database was made")
    why += [f"{b.kind} {b.name}: {b.detail}; {b.resolve}" for b in survey.blockers]
    if not survey.server.superuser and not (survey.server.owns and survey.server.createdb):
        why.append(f"{survey.server.user} must own {survey.names.app} and have CREATEDB")
    parts = (survey.measured.dump, survey.measured.restore)
    seconds = sum(part for part in parts if part is not None) if None not in parts else None
    return Option(
        Strategy.IN_PLACE,
        "Drop, create and restore where it stands: the last resort",
        tuple(why),
        seconds,
        "the whole restore" if seconds is None else "measured in this run",
        "writes since the backup; the failed data only as a dump",
    )


def _snapshots(survey: Survey) -> tuple[Option, ...]:
    """The newest restore point of another tool, where the run has one: its command is for a person."""
    found = [point for point in survey.points if point.form is Form.SNAPSHOT]
    if not found:
        return ()
    point = found[-1]
    commands = (f"-- before: {point.precondition}",) if point.precondition else ()
    return (
        Option(
            Strategy.SNAPSHOT,
            f"The restore point by {point.place}",
            ("it is gone back to by the tool that made it; this program never does",),
            None,
            "unknown: nothing was restored from it",
            f"everything written since {point.at or 'it was taken'}, in every database it holds",
            (*commands, point.back or f"no command is given (back: in the prove item by {point.place})"),
            executed=False,
        ),
    )


def _clone(survey: Survey) -> Option:
    names = survey.names
    point = point_name(names.app, survey.owner) if survey.owner else f"{names.app}__rp_…"
    return Option(
        Strategy.CLONE,
        "A template clone, made at T-0",
        ("it has to be made before the migration, with the application stopped; none was made by this program",),
        None,
        "the copy is downtime at T-0; the rollback is a swap",
        "writes since T-0; it is no backup: same server, same disk",
        (
            f"ALTER DATABASE {quoted(names.app)} WITH ALLOW_CONNECTIONS false;  -- then end its sessions",
            f"CREATE DATABASE {quoted(point)} TEMPLATE {quoted(names.app)};",
            f"ALTER DATABASE {quoted(point)} WITH ALLOW_CONNECTIONS false;",
            f"ALTER DATABASE {quoted(names.app)} WITH ALLOW_CONNECTIONS true;",
        ),
        executed=False,
    )


def _pitr(survey: Survey) -> Option:
    label = f"migconsole_{survey.owner[:8]}" if survey.owner else "migconsole_RUN"
    lsn = next((point.lsn for point in survey.points if point.lsn), "")
    beside = (f"pgbackrest --stanza=STANZA --delta --type=lsn --target={lsn} restore",) if lsn else ()
    return Option(
        Strategy.PITR,
        "Point in time, by the tool that archives your WAL",
        ("it is done by pgBackRest, Barman or the like on another data directory; this program never touches one",),
        None,
        "a copy of the whole cluster and its WAL: usually hours",
        "to the instant chosen; every other database of the server goes back, too",
        (
            f"SELECT pg_create_restore_point('{label}');  -- before T-0",
            f"pgbackrest --stanza=STANZA --delta --type=name --target={label} restore",
            *beside,
            f"barman recover --target-lsn {lsn or 'LSN'} SERVER BACKUP DIRECTORY",
            f"server {survey.server.system or 'unknown'}, timeline {survey.server.timeline or 'unknown'}",
        ),
        executed=False,
    )
