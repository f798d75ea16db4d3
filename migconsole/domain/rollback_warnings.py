"""What a person must know before the database changes its name or its content, and what forbids nothing."""

from __future__ import annotations

from migconsole.domain.rollback import Mark
from migconsole.domain.rollback_survey import Survey


def warnings(survey: Survey) -> tuple[str, ...]:
    """Poolers without hooks, what goes with the database, replicas, a side database that was used, an open run."""
    found = list(survey.notes)
    if survey.pooler and not (survey.hooks.get("pause") and survey.hooks.get("resume")):
        found.append(f"a pooler stands in front ({survey.pooler}) and there are no pooler hooks: expect 15 s and more")
    found += [f"{b.kind} {b.name}: {b.detail}; {b.resolve}" for b in survey.blockers if not b.hard]
    found += [f"replica {replica}: sessions there end with the swap, too" for replica in survey.replicas]
    side = survey.side
    if side is not None and side.marker is not None and side.marker.step is Mark.USED:
        found.append(f"{survey.names.side} was live before it was put back: it is not what the backup was any more")
    if survey.run_lock is not None:
        found.append(f"a run is open on this database: its watcher is {survey.run_lock}")
    return tuple(found)
