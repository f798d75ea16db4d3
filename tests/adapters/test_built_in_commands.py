"""What a built-in job takes in a checklist, against the commands that carry it out."""

from __future__ import annotations

import click
import pytest

from migconsole.adapters.checklists.models import JOBS
from migconsole.cli import cli
from migconsole.domain.commands import ARGUMENTS, COMMANDS, KEPT, POSITIONAL, command_line

OURS = {"target", "run", "format", "state-dir", "item"}
"""Options that the run gives by itself: the target, where it is, and for which line."""

SHELL = {"list", "check", "clean", "confirm", "plan", "as", "owner", "unfence"}
"""Options for a person at a shell."""


def _options(job: str) -> dict[str, click.Option]:
    command = cli.get_command(click.Context(cli), COMMANDS[job])
    assert command is not None
    return {one.opts[0].lstrip("-"): one for one in command.params if isinstance(one, click.Option)}


@pytest.mark.parametrize("job", JOBS)
def test_a_checklist_takes_what_the_command_takes(job: str) -> None:
    ours = {name.replace("_", "-") for name in ARGUMENTS[job]} - {name.replace("_", "-") for name in KEPT.get(job, ())}
    assert ours - {POSITIONAL.get(job)} == set(_options(job)) - OURS - SHELL


@pytest.mark.parametrize("job", JOBS)
def test_false_leaves_a_flag_out(job: str) -> None:
    flags = [name for name, option in _options(job).items() if option.is_flag and name not in SHELL]
    assert all(not _options(job)[name].secondary_opts for name in flags)
    told = {name.replace("-", "_"): False for name in flags}
    assert command_line(job, told, run="") == [COMMANDS[job]]
    assert command_line(job, dict.fromkeys(told, True), run="")[1:] == [f"--{name}" for name in flags]
