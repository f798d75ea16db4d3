"""The plans that restore or revert instead of swapping what is armed: beside, in place, by script, by hand."""

from __future__ import annotations

from dataclasses import replace

from migconsole.domain.rollback import REBUILD_LIMIT, Mark, Marker, literal, quoted
from migconsole.domain.rollback_means import NOTHING_NAMED, Means
from migconsole.domain.rollback_options import options
from migconsole.domain.rollback_plan import Act, Deed, Option, Plan, PlanStep, Strategy
from migconsole.domain.rollback_state import State
from migconsole.domain.rollback_steps import lead_in, lead_out, verify_step
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.rollback_warnings import warnings
from migconsole.domain.text import sanitise_line

FORCE_SINCE = 130_000
"""``server_version_num`` from which DROP DATABASE can end sessions itself."""


def other_plan(survey: Survey, strategy: Strategy, means: Means = NOTHING_NAMED, *, jobs: int = 1) -> Plan:
    """The plan of a strategy other than the swap."""
    option = next(option for option in options(survey, means) if option.strategy is strategy)
    if not option.executed:
        return _by_hand(survey, option)
    if strategy is Strategy.REVERT:
        return _revert(survey, option, means)
    if strategy is Strategy.SIDE_RESTORE:
        return _side_restore(survey, option)
    return _in_place(survey, option, means.keep, jobs)


def _plan(survey: Survey, option: Option, steps: tuple[PlanStep, ...], **more: object) -> Plan:
    return Plan(
        Deed.ROLLBACK,
        option.title,
        steps,
        survey.target,
        option.strategy,
        loses=(option.loss, *survey.loss),
        warnings=survey.notes,
        refusals=option.refusals,
        **more,  # type: ignore[arg-type]
    )


def _by_hand(survey: Survey, option: Option) -> Plan:
    steps = tuple(
        PlanStep(f"hand-{number}", command, Act.HAND, command=command)
        for number, command in enumerate(option.commands, 1)
    )
    return _plan(survey, option, steps, by_hand=True)


def _revert(survey: Survey, option: Option, means: Means) -> Plan:
    app = survey.app
    expects = ((survey.names.app, app.oid),) if app is not None else ()
    step = PlanStep(
        "revert",
        f"Run the revert script in {survey.names.app}, in one transaction",
        Act.PROGRAM,
        argv=("psql", "-X", "-v", "ON_ERROR_STOP=1", "-1", "--no-password", "-f", means.script),
        undoing="nothing by itself; on an error psql rolls back"
        + (" what is not committed yet" if means.control else ""),
        no_return=True,
        destructive=True,
        expects=expects,
    )
    read = PlanStep(
        "read-back", "Read back that it is the same database", Act.READ_BACK, command="its oid", expects=expects
    )
    plan = _plan(survey, option, (step, read, verify_step(survey, Strategy.REVERT)))
    if not means.control:
        return plan
    warning = f"the script is NOT all or nothing: it handles transactions itself ({sanitise_line(means.control)})"
    return replace(plan, warnings=(*plan.warnings, f"{warning}; when it fails, what it committed before stays"))


def _side_restore(survey: Survey, option: Option) -> Plan:
    """The restore; the steps of the swap are planned anew once the side database is there."""
    restore = PlanStep(
        "prove",
        f"Restore {survey.backup} into {survey.names.side}, compare it with its manifest, arm it",
        Act.RESTORE,
        command=f"migconsole prove {survey.backup}",
        undoing=f"{survey.names.side} stays; migconsole purge --what side drops it",
        estimate=survey.measured.restore,
    )
    swap = PlanStep(
        "then-swap",
        f"Then swap {survey.names.side} in, as with --strategy swap",
        Act.HAND,
        command=f"fence, end sessions, ALTER DATABASE … RENAME twice in one transaction, open {survey.names.app}",
        estimate=option.downtime,
        outage=True,
    )
    plan = _plan(survey, option, (restore, swap, verify_step(survey, Strategy.SIDE_RESTORE)))
    return replace(plan, warnings=warnings(survey))


def _in_place(survey: Survey, option: Option, keep: str, jobs: int) -> Plan:
    refusals = list(option.why_not)
    if not keep and not survey.forward_only:
        refusals.append("say where the failed data is dumped to before it is dropped (o, or --keep-failed DIR)")
    before, verify = _before_drop(survey, keep, jobs), verify_step(survey, Strategy.IN_PLACE)
    steps = (*before, *_after_drop(survey), verify)
    plan = _plan(survey, option, steps, twice=True)
    told = (*warnings(survey), "clients are shut out for the whole restore")
    return replace(plan, warnings=told, refusals=tuple(refusals))


def _before_drop(survey: Survey, keep: str, jobs: int) -> tuple[PlanStep, ...]:
    names, app = survey.names, survey.app
    if app is None:
        return ()
    drop = _drop(survey)
    if app.lost:
        return (drop,)
    leading = lead_in(survey, names.app)
    if survey.situation.state is State.REBUILDING:
        return (*leading, drop)
    stamp = "".join(sign for sign in survey.at if sign.isalnum())
    dump = PlanStep(
        "keep-failed",
        "Dump the failed data first",
        Act.PROGRAM,
        argv=("pg_dump", "-Fd", "-j", str(jobs), "--no-password", "-f", f"{keep}/failed-{stamp}.partial"),
        undoing="the dump stays",
        estimate=survey.measured.dump,
    )
    look, *others = leading
    return (look, *_reopened(survey), dump, *others, drop)


def _reopened(survey: Survey) -> tuple[PlanStep, ...]:
    """A database that an earlier attempt has left fenced must let the dump of its data in."""
    app = survey.app
    if app is None or app.open:
        return ()
    expects = ((app.name, app.oid),)
    opened = f"ALTER DATABASE {quoted(app.name)} WITH ALLOW_CONNECTIONS true"
    title = f"Open {app.name} again, for the dump"
    return (PlanStep("reopen", title, Act.STATEMENTS, (opened,), estimate=0.0, destructive=True, expects=expects),)


def _drop(survey: Survey) -> PlanStep:
    names, app = survey.names, survey.app
    oid = app.oid if app is not None else 0
    force = " WITH (FORCE)" if survey.server.version_num >= FORCE_SINCE and not (app is not None and app.lost) else ""
    return PlanStep(
        "drop",
        f"Drop {names.app}",
        Act.STATEMENTS,
        (f"DROP DATABASE {quoted(names.app)}{force}",),
        undoing="nothing: from here on it only goes forward",
        estimate=1.0,
        no_return=True,
        outage=True,
        destructive=True,
        expects=((names.app, oid),),
        after=((names.app, 0),),
    )


def _after_drop(survey: Survey) -> tuple[PlanStep, ...]:
    names, original = survey.names, survey.original
    limit = 0 if survey.server.superuser else REBUILD_LIMIT
    marker = Marker(survey.owner, names.app, Mark.RESTORING, at=survey.at)
    create = PlanStep(
        "create",
        f"Make {names.app} anew, shut to clients",
        Act.STATEMENTS,
        (f"{original.create} CONNECTION LIMIT = {limit}",),
        estimate=1.0,
        outage=True,
        destructive=True,
        expects=((names.app, 0),),
    )
    mark = PlanStep(
        "mark",
        "Mark it as not yet restored",
        Act.STATEMENTS,
        (f"COMMENT ON DATABASE {quoted(names.app)} IS {literal(marker.text())}",),
        estimate=0.0,
        outage=True,
    )
    restore = PlanStep(
        "restore",
        f"Restore {survey.backup} into it, analyse it, compare it with its manifest",
        Act.RESTORE,
        command=f"pg_restore --exit-on-error --no-password -L toc.list {survey.backup}/dump",
        estimate=survey.measured.restore,
        outage=True,
    )
    opened = PlanStep(
        "open",
        "Give it its properties, and open it",
        Act.TRANSACTION,
        (
            "BEGIN",
            *original.everything,
            f"COMMENT ON DATABASE {quoted(names.app)} IS {literal(original.comment)}",
            f"ALTER DATABASE {quoted(names.app)} WITH ALLOW_CONNECTIONS true",
            "COMMIT",
        ),
        estimate=0.0,
        outage=True,
        destructive=True,
    )
    return (create, mark, restore, opened, *lead_out(survey))
