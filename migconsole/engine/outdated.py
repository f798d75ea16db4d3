"""Reviews that no longer hold: a file that somebody read has another content now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from migconsole.domain.events import Draft, Kind
from migconsole.domain.items import RULES, Move
from migconsole.domain.reviews import changes
from migconsole.domain.run import Run

ACTOR = "watcher"
SHOWN = 20


async def outdated(run: Run, *, sums: Callable[[Sequence[str]], Mapping[str, str | None]]) -> list[Draft]:
    """A fact for each review that was accepted and whose files are not what they were. ``sums`` hashes today's files.

    A file that is gone counts, too. The fact's key names the review, so that it is recorded once; reading the files
    anew makes a review of its own.
    """
    found = []
    for item, review in run.reviews.reviews.items():
        if not item or run.record(item).state not in RULES[Move.OUTDATE].sources:
            continue
        now = await asyncio.to_thread(sums, [file.path for file in review.files])
        reasons = changes(review.files, now, None)
        if reasons:
            data = {"item": item, "attempt": review.attempt, "reasons": reasons[:SHOWN]}
            found.append(Draft(Kind.REVIEW_OUTDATED, data, ACTOR, key=f"review.outdated:{item}:{review.attempt}"))
    return found
