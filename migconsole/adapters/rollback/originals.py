"""What a backup's manifest says about the database itself: its comment and settings, for the swap to put back."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migconsole.adapters.postgres.sides import create_statement
from migconsole.domain.manifest import ManifestError, read_manifest
from migconsole.domain.rollback import quoted
from migconsole.domain.rollback_survey import Original
from migconsole.errors import MigconsoleError

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Described:
    """A backup's identifier and what its database was like."""

    identifier: str
    original: Original


def original_of(backup: Path, app: str) -> Described:
    """Read a backup's manifest (its directory, or the file). Raises MigconsoleError when it cannot be believed.

    Only the database's own settings are taken: those of roles in it are in ``prove``'s hands, because setting them
    needs more rights than the swap does.
    """
    path = backup / MANIFEST if backup.is_dir() else backup
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        properties = data["properties"]
        comment = properties["comment"]
        written = [(e["kind"], f"{e['before']}{quoted(app)}{e['after']}") for e in properties["statements"]]
        settings = tuple(statement for kind, statement in written if kind in ("setting", "limit"))
        everything = tuple(statement for kind, statement in written if kind != "comment")
        identifier = str(data["id"])
    except OSError as error:
        raise MigconsoleError("The backup's manifest cannot be read", f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise MigconsoleError("The backup's manifest is not whole", f"{path}: {type(error).__name__}") from error
    create = _create(data, app)
    if comment is not None and not isinstance(comment, str):
        raise MigconsoleError("The backup's manifest is not whole", f"{path}: its comment is no text")
    return Described(identifier, Original(comment, settings, everything, create, known=True))


def _create(data: dict[str, Any], app: str) -> str:
    """The statement that makes the empty database; "" where the manifest is not one that can be restored from."""
    try:
        manifest = read_manifest(json.dumps(data))
    except ManifestError:
        return ""
    major = re.match(r"\d+", manifest.server_version)
    return create_statement(app, manifest.properties, int(major[0]) * 10_000) if major else ""
