"""What a command finds in its environment: the one target, no pager, strict psql; nothing that points elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from migconsole.adapters.jobs.files import ATTEMPT_DIRECTORY, MARKER
from migconsole.domain.inherited import inherited

PSQLRC = "psqlrc"
BASH_ENV = "bashenv"

FILES = {
    # Without it psql ends with 0 although a statement of a script failed.
    PSQLRC: "\\set ON_ERROR_STOP on\n",
    # bash goes on with the next command when the one that SIGINT interrupted handled the signal itself, as psql does:
    # a stopped script would start its next migration. With the trap it ends, and by the signal.
    BASH_ENV: "unset BASH_ENV\ntrap 'trap - INT; kill -INT $$' INT\n",
}
"""Files of the job directory that the environment points to, with their content."""

_REMOVED = {
    "PSQL_PAGER",
    "COLUMNS",  # the terminal's own size counts, and it changes
    "LINES",
    "OLDPWD",
    ATTEMPT_DIRECTORY,  # a command's own, when this console itself runs below a built-in job
}


def child_environment(
    environment: Mapping[str, str],
    *,
    directory: Path,
    app_name: str,
    token: str,
    additions: Mapping[str, str],
    secrets: Mapping[str, str],
    built_in: bool = False,
) -> dict[str, str]:
    """Build a command's environment; ``additions`` win over what is inherited, ``secrets`` over both.

    What ``domain.inherited`` keeps away goes first, so that a script means and does the same everywhere.
    A ``built_in`` job is told where its outcome belongs.
    """
    kept = {name: value for name, value in inherited(environment).items() if name not in _REMOVED}
    return {
        "TERM": "dumb",
        **kept,
        "PAGER": "cat",
        "GIT_PAGER": "cat",
        "SYSTEMD_PAGER": "cat",
        "PSQL_HISTORY": "/dev/null",
        "PSQLRC": str(directory / PSQLRC),
        "BASH_ENV": str(directory / BASH_ENV),
        "PGAPPNAME": app_name,
        MARKER: token,
        **additions,
        **secrets,
        **({ATTEMPT_DIRECTORY: str(directory)} if built_in else {}),
    }
