"""Whole plans: what is possible now and what forbids it, from a survey."""

from __future__ import annotations

from dataclasses import replace

from migconsole.domain.rollback_means import NOTHING_NAMED, Means
from migconsole.domain.rollback_plan import Act, Deed, Plan, Strategy
from migconsole.domain.rollback_refusals import common_refusals, put_back_refusals, swap_refusals
from migconsole.domain.rollback_restores import other_plan
from migconsole.domain.rollback_steps import open_steps, purge_steps, put_back_steps, swap_steps
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.rollback_warnings import warnings


def swap_plan(survey: Survey) -> Plan:
    """The armed side database in place of the live one."""
    refusals = swap_refusals(survey)
    whole = survey.app is not None and survey.side is not None and survey.side.marker is not None
    return Plan(
        Deed.ROLLBACK,
        f"Swap {survey.names.side} in for {survey.names.app}",
        swap_steps(survey) if whole else (),
        survey.target,
        Strategy.SWAP,
        loses=survey.loss,
        warnings=warnings(survey),
        refusals=refusals,
    )


def put_back_plan(survey: Survey) -> Plan:
    """The undoing of the swap."""
    refusals = put_back_refusals(survey)
    failed = survey.failed
    whole = survey.app is not None and failed is not None and failed.marker is not None
    return Plan(
        Deed.PUT_BACK,
        f"Put {survey.names.failed} back as {survey.names.app}",
        put_back_steps(survey) if whole else (),
        survey.target,
        loses=(f"nothing: what was written since the swap stays in {survey.names.side}",),
        warnings=warnings(survey),
        refusals=refusals,
    )


def unfence_plan(survey: Survey) -> Plan:
    """Opening the database again without a swap."""
    refusals = common_refusals(survey)
    if survey.app is None or survey.situation.stop:
        refusals = (*refusals, survey.situation.means)
    elif survey.app.open:
        refusals = (*refusals, f"{survey.names.app} accepts connections already")
    if survey.forward_only:
        refusals = (*refusals, "its content is not restored yet: an application would find it empty")
    steps = open_steps(survey) if survey.app is not None else ()
    return Plan(Deed.UNFENCE, f"Open {survey.names.app} again", steps, survey.target, refusals=refusals)


def purge_plan(survey: Survey, database: str) -> Plan:
    """Dropping the failed or the side database: typed with its own name, and with the date it carries."""
    row = survey.rows.get(database)
    marker = row.marker if row is not None else None
    refusals = list(common_refusals(survey))
    place = survey.target.removeprefix(survey.names.app)
    if row is None:
        refusals.append(f"there is no database {database}")
    elif marker is None or marker.app != survey.names.app:
        refusals.append(f"{database} does not carry our marker: it is not ours to drop")
    elif database == survey.names.app:
        refusals.append("the live database is never purged")
    if row is not None and row.sessions:
        refusals.append(f"{row.sessions} session(s) are in {database}: somebody still uses it")
    if survey.app is None or survey.app.lost or survey.forward_only:
        refusals.append(f"{survey.names.app} is not whole: nothing that could still save it is dropped")
    refusals += [f"{b.kind} {b.name}: {b.detail}; {b.resolve}" for b in survey.blockers]
    return Plan(
        Deed.PURGE,
        f"Drop {database} for good",
        purge_steps(survey, database) if row is not None else (),
        f"{database}{place}",
        dated=marker.at[:10] if marker is not None else "",
        loses=(f"everything in {database}, as of {marker.at if marker else 'an unknown time'}",),
        refusals=tuple(refusals),
    )


def rollback_plan(survey: Survey, strategy: Strategy, means: Means = NOTHING_NAMED, *, jobs: int = 1) -> Plan:
    """The plan of a strategy; see ``rollback_restores`` for all but the swap."""
    if strategy is Strategy.SWAP:
        return swap_plan(survey)
    return other_plan(survey, strategy, means, jobs=jobs)


def without_verifying(plan: Plan) -> Plan:
    """The plan without reading the content back, which it says."""
    if not plan.verifies:
        return plan
    steps = tuple(step for step in plan.steps if step.act is not Act.VERIFY)
    warning = "the content is not read back afterwards (--no-verify): it will count as not verified"
    return replace(plan, steps=steps, warnings=(*plan.warnings, warning))
