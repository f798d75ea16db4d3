"""What a job executes, by the kind of its request: the one place where a built-in job joins the shell commands.

Every kind is a child process of the runner, so that its output, its signals and its end are handled alike. A built-in
job is the public command of the same purpose, with the run it belongs to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from migconsole.domain import commands


def _shell(request: Mapping[str, Any]) -> list[str]:
    return ["bash", "--noprofile", "--norc", "-o", "pipefail", "-c", str(request["script"])]


def _built_in(job: str, request: Mapping[str, Any]) -> list[str]:
    # -P: the working directory is the project's, and nothing of it must be imported in place of this program.
    words = commands.command_line(job, request.get("arguments") or {}, run=str(request.get("run") or ""))
    return [sys.executable, "-P", "-m", "migconsole", *words]


COMMANDS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "shell": _shell,
    **{job: partial(_built_in, job) for job in commands.COMMANDS},
}
"""Kind → the program and its arguments. Arguments are seen by every user of the host: never a secret."""
