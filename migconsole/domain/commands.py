"""Built-in jobs as command lines: what a job of the checklist is on the public command line, which it really runs.

One mapping, used for the preview, for the record and by the process that executes it, so that they cannot differ.
Arguments of a process are seen by every user of its host: nothing secret is ever among them. The target reaches a job
through its environment, as it reaches every other child.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

COMMANDS = {
    "backup": "backup",
    "prove": "prove",
    "review": "review",
    "lint": "lint",
    "restore": "rollback",
    "drill": "drill",
    "notify": "notify",
    "http": "http",
    "put-back": "put-back",
    "purge": "purge",
}
"""The name of a job → the command of migconsole that carries it out; the last two stand in no checklist."""

GIVES = {
    "backup": ("backup_id", "backup_path", "backup_time", "backup_size"),
    "prove": ("prove_side", "prove_backup"),
}
"""What a job captures for later items, so that a script which uses it before it is there is known to lack it."""

AFTER_DEATH = {
    "backup": "nothing unfinished counts as a backup: “migconsole backup --list --directory DIR” says what is there "
    "and what of it is whole; running the item again is safe",
    "prove": "nothing that was cut off is armed: running the item again drops what it left and restores anew",
    "drill": "its copies may be on the server: “migconsole drill --clean” names them, and drops them once confirmed",
    "restore": "the server knows how far it came: B, or “migconsole rollback --plan”, reads it and goes on from there",
}
"""What is so when a job died without a word, and what to do next."""

POSITIONAL = {"prove": "backup", "notify": "text", "http": "address"}
"""The one argument of a command that has no option's name."""


KEPT = {"backup": ("max_age",), "prove": ("max_age", "accept"), "restore": ("prefer", "boxes")}
"""Arguments that are the console's own, no options of the command: what the gate goes by, the wizard's preference."""

_RETURN = (
    "backup",
    "script",
    "keep_failed",
    "old_app",
    "jobs",
    "disk_free",
    "last_resort",
    "no_verify",
    "verify_limit",
)
_FOREIGN = ("by", "take", "verify", "verify_sql", "expect", "back", "precondition")
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "backup": ("directory", "jobs", "hash", *KEPT["backup"]),
    "prove": ("backup", "keep_armed", "jobs", "max_lag", "disk_free", "rewrites", "give_up_armed", *_FOREIGN)
    + KEPT["prove"],
    "review": ("directory", "tool", "schema"),
    "lint": ("directory", "tool", "schema", "built_in"),
    "restore": ("strategy", "reason", "by", *_RETURN, *KEPT["restore"]),
    "drill": ("directory", "jobs", "keep_backup", "disk_free"),
    "notify": ("text", "title", "to", "url_from"),
    "http": ("address", "expect_status", "expect_body", "expect_not_body", "method", "timeout"),
}
"""What a job takes in a checklist. A name that is none would otherwise be found out when the command is run, at T-0."""


class ArgumentsError(ValueError):
    """Arguments of a job that cannot be written on a command line; the message says which."""


def command_line(job: str, arguments: Mapping[str, Any], *, run: str) -> list[str]:
    """The words after ``python -m migconsole`` for a job: its command, its options, and the run that it belongs to.

    ``{jobs: 2, keep_armed: true, tables: [a, b]}`` become ``--jobs 2 --keep-armed --tables a --tables b``; false, an
    empty text or null is left out, a mapping gives ``--name key=value`` for each entry.

    >>> command_line("backup", {"directory": "./backups", "jobs": 2}, run="/runs/x")
    ['backup', '--directory', './backups', '--jobs', '2', '--run', '/runs/x']
    >>> command_line("prove", {"backup": "/b/1", "keep_armed": True}, run="/runs/x")
    ['prove', '--keep-armed', '--run', '/runs/x', '--', '/b/1']
    """
    positional = POSITIONAL.get(job, "")
    words = [COMMANDS[job]]
    for name, value in arguments.items():
        if name != positional and name not in KEPT.get(job, ()):
            words += _option(job, name, value)
    words += ["--run", run] if run else []
    given = arguments.get(positional) if positional else None
    return words if given in (None, "") else [*words, "--", _word(job, positional, given)]


def _option(job: str, name: str, value: Any) -> Iterator[str]:
    option = "--" + str(name).replace("_", "-")
    if value is None or value is False or value == "":
        return
    if value is True:
        yield option
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from (option, f"{key}={_word(job, name, inner)}")
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from (option, _word(job, name, inner))
    else:
        yield from (option, _word(job, name, value))


def _word(job: str, name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ArgumentsError(f"{job}: {name} cannot be written on a command line")
    text = str(value)
    if "\0" in text:
        raise ArgumentsError(f"{job}: {name} holds a zero byte")
    return text
