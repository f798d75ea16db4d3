"""What forbids an act on the databases now, in sentences; nothing when it may be done."""

from __future__ import annotations

from migconsole.domain.rollback import ours
from migconsole.domain.rollback_state import State
from migconsole.domain.rollback_survey import Survey


def common_refusals(survey: Survey) -> tuple[str, ...]:
    """What forbids every act."""
    found = [f"this is not the server or database that was pinned: {change}" for change in survey.changed]
    if survey.server.in_recovery:
        found.append("the server is a standby: nothing can be changed on it")
    if survey.holder is not None:
        found.append(f"somebody else is at it: {survey.holder} holds the operator lock")
    return tuple(found)


def renaming_refusals(survey: Survey) -> tuple[str, ...]:
    """What forbids renaming the database."""
    found = [*common_refusals(survey)]
    found += [f"{b.kind} {b.name}: {b.detail}; {b.resolve}" for b in survey.hard_blockers()]
    server = survey.server
    if not server.superuser and not (server.owns and server.createdb):
        found.append(f"{server.user} must own {survey.names.app} and have CREATEDB to rename it")
    beyond = [group for group in survey.sessions if group.beyond]
    for group in beyond:
        who = f"{group.count} of {group.role} ({group.application or 'unnamed'})"
        found.append(f"sessions that {server.user} may not end: {who}; a superuser must")
    return tuple(found)


def swap_refusals(survey: Survey) -> tuple[str, ...]:
    """Why the swap is not possible now; nothing when it is."""
    situation, names = survey.situation, survey.names
    if situation.stop:
        return (situation.means,)
    found = list(renaming_refusals(survey))
    if survey.failed is not None:
        found.append(f"{names.failed} is still there: put it back, or purge it first")
    if survey.forward_only:
        found.append("the database is being replaced where it stands, and that only goes on forward")
    elif survey.side is None or not ours(survey.side, names.app):
        found.append("no restore point is armed")
    elif situation.state not in (State.ARMED, State.FENCED) and survey.failed is None:
        found.append(f"no restore point is armed: {situation.means}")
    return tuple(found)


def put_back_refusals(survey: Survey) -> tuple[str, ...]:
    """Why the swap cannot be undone now."""
    situation, names = survey.situation, survey.names
    if situation.stop:
        return (situation.means,)
    if survey.failed is None or situation.state not in (State.SWAPPED, State.SWAPPED_CLOSED):
        return (*common_refusals(survey), f"there is no {names.failed} to put back")
    found = list(renaming_refusals(survey))
    if survey.side is not None:
        found.append(f"the name {names.side} is taken by another restore point: purge it first")
    return tuple(found)
