"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def _remember(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value:
        context.obj = value
    return value


def state_directory(command: F) -> F:
    """``--state-dir``, before or after the command's name: it becomes the context's object."""
    option = click.option(
        "--state-dir",
        metavar="DIR",
        envvar="MIGCONSOLE_STATE_DIR",
        expose_value=False,
        is_eager=True,
        callback=_remember,
        help="Where runs are kept (or MIGCONSOLE_STATE_DIR).",
    )
    return option(command)
