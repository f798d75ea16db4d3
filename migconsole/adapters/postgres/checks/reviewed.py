"""The check of reviewed files: what somebody has read is what would be applied."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from migconsole.adapters.migrators.scripts import relative, sums
from migconsole.adapters.postgres.checks.base import Findings, Probe, check
from migconsole.adapters.postgres.checks.migrations import examine
from migconsole.domain.migrations import MigrationState
from migconsole.domain.reviews import Review, changes
from migconsole.engine.ports import CheckResult


@check(
    "reviewed_files",
    "Every pending migration file was reviewed in this run, and has the content that was read then.",
    values={
        "reviewed": "how many files were pinned by the review",
        "changed": "how many have another content, are gone, or were not reviewed",
        "review": "when the review was recorded, in UTC; null when there was none",
    },
)
async def reviewed_files(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Without a review there is nothing to compare with, which is a question and no pass."""
    found = Findings()
    review = probe.past.review() if probe.past is not None else None
    if review is None:
        found.unknown("no migration file was reviewed in this run")
        return found.result({"reviewed": 0, "changed": None, "review": None})
    now = await asyncio.to_thread(sums, [file.path for file in review.files], probe.project)
    wrong = changes(review.files, now, await _pending(probe, review, found))
    for line in wrong:
        found.bad(line)
    if not wrong:
        found.good(f"{len(review.files)} files are what was reviewed")
    return found.result({"reviewed": len(review.files), "changed": len(wrong), "review": review.at})


async def _pending(probe: Probe, review: Review, found: Findings) -> list[str] | None:
    """The files that are pending now; None when that cannot be told, which is said."""
    named = {"directory": review.directory, "tool": review.tool, "schema": review.schema}
    seen = await examine(probe, {name: value for name, value in named.items() if value}, found)
    if seen is None or seen.report is None:
        return None
    names = seen.report.names(MigrationState.PENDING)
    files = await asyncio.to_thread(seen.tool.scripts, seen.directory, names)
    return [relative(file.path, probe.project) for file in files]
