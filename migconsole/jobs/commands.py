"""What a job executes, by the kind of its request: the one place where a built-in job joins the shell commands.

Every kind is a child process of the runner, so that its output, its signals and its end are handled alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def _shell(request: Mapping[str, Any]) -> list[str]:
    return ["bash", "--noprofile", "--norc", "-o", "pipefail", "-c", str(request["script"])]


COMMANDS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {"shell": _shell}
"""Kind → the program and its arguments. Arguments are seen by every user of the host: never a secret."""
