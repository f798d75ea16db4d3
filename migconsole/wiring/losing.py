"""The preview of what a rollback would lose, from a backup's manifest and the server as it is now."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from migconsole.adapters.postgres.losses import sight
from migconsole.domain.loss import LossPreview, preview
from migconsole.domain.moments import Moment, from_manifest
from migconsole.domain.target import Target
from migconsole.errors import MigconsoleError

MANIFEST = "manifest.json"


async def loss_since(target: Target, backup: Path, *, database: str = "", run: str = "") -> LossPreview:
    """What going back to this backup would undo. ``backup`` is its directory or its manifest.

    Raises MigconsoleError when the manifest cannot be read, TargetError when the server cannot be asked.
    """
    before = await asyncio.to_thread(read_moment, backup)
    return preview(before, await sight(target, database=database, run=run))


def read_moment(backup: Path) -> Moment:
    """The moment a backup was taken at, as its manifest describes it."""
    path = backup / MANIFEST if backup.is_dir() else backup
    try:
        return from_manifest(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise MigconsoleError("The backup's manifest cannot be read", f"{path}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MigconsoleError(
            "The backup's manifest is damaged", f"{path}: {type(error).__name__}.", "Take another backup."
        ) from None
