"""What a backup's manifest says about the database itself: its comment and settings, for the swap to put back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

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
    if comment is not None and not isinstance(comment, str):
        raise MigconsoleError("The backup's manifest is not whole", f"{path}: its comment is no text")
    return Described(identifier, Original(comment, settings, everything, known=True))
