"""What an operator names for a way back that needs more than the restore point: a backup, a script, a place, room, and
what only a person can know: that the application of before runs on the schema of now."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

NAMES = {"backup": "backup", "script": "script", "keep": "keep_failed", "free": "disk_free", "old_app": "old_app"}
"""Field → argument of the ``restore`` job, and so option of ``migconsole rollback``."""

_PATHS = ("backup", "script", "keep")


@dataclass(frozen=True, slots=True)
class Means:
    """``backup`` is a backup's folder, ``script`` a revert script, ``keep`` where the failed data is dumped before the
    database is dropped in place, ``free`` what is free on the server's volume where it cannot be seen, ``old_app`` how
    it is known that the previous version of the application runs on the migrated schema. "" is not given. ``missing``
    is the named file that whoever looked has not found, ``control`` the lines of the script that leave its transaction.
    """

    backup: str = ""
    script: str = ""
    keep: str = ""
    free: str = ""
    old_app: str = ""
    missing: str = ""
    control: str = ""

    def arguments(self) -> dict[str, str]:
        """As arguments of the ``restore`` job.

        >>> Means(script="down.sql").arguments()
        {'script': 'down.sql'}
        """
        return {argument: value for name, argument in NAMES.items() if (value := getattr(self, name))}

    def within(self, project: str) -> Means:
        """With paths that count from the project made whole: job, console and command line then mean the same file."""
        whole = {name: posixpath.join(project, value) for name in _PATHS if (value := getattr(self, name))}
        return replace(self, **whole)


NOTHING_NAMED = Means()


def means_of(arguments: Mapping[str, Any], expand: Callable[[str], str] = str) -> Means:
    """What a ``restore`` item of a checklist, or a decision on record, names. ``expand`` puts variables in place."""
    found = {name: arguments.get(argument) for name, argument in NAMES.items()}
    return Means(**{name: expand(value).strip() for name, value in found.items() if isinstance(value, str)})
