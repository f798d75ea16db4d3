"""What a child process may inherit: nothing that aims it at another server, nothing that changes what bash does."""

from __future__ import annotations

from collections.abc import Mapping

URLS = ("DATABASE_URL", "DIRECT_URL")
"""Each may name another server than the target, and holds its password in the open."""

_SHELL = ("BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "CDPATH", "PROMPT_COMMAND")


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that every child may have.

    All of ``PG*`` goes: ``PGSERVICE`` and ``PGHOSTADDR`` would override the ``PGHOST`` that the child is given.

    >>> inherited({"PGHOSTADDR": "10.0.0.9", "DATABASE_URL": "postgres://u:p@elsewhere/db", "HOME": "/home/ada"})
    {'HOME': '/home/ada'}
    """
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("PG", "BASH_FUNC_")) and name not in URLS and name not in _SHELL
    }
