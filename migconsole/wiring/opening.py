"""Opening a run: the checklist, its target and the run directory become a session."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dotenv import dotenv_values

from migconsole.adapters import checklists, processes
from migconsole.adapters.checklists import Loaded
from migconsole.adapters.checklists.models import JOBS_NOW
from migconsole.adapters.jobs.detached import DetachedJobs
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.adapters.notify import AppriseSender, addresses, sender_of
from migconsole.adapters.past import RunPast
from migconsole.adapters.postgres.checks import CHECKS
from migconsole.adapters.postgres.database import CHECK_LOCK_TIMEOUT, PostgresDatabase
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.runs import RunDirectory, RunStore, opened_data, state_directory
from migconsole.domain.checklist import COPY, Check, Checklist, Job
from migconsole.domain.events import Draft, Kind
from migconsole.domain.secrets import Secret, Secrets
from migconsole.domain.shell import Command, UnreadableError, commands
from migconsole.domain.target import Target
from migconsole.domain.times import MomentError, settle, stamp
from migconsole.domain.variables import Resolver, UnresolvedError
from migconsole.engine.ports import Surroundings
from migconsole.engine.session import Session
from migconsole.errors import JournalError, StoppedError, UsageError
from migconsole.wiring import estimates
from migconsole.wiring.desk import RunDesk
from migconsole.wiring.recording import EvidenceSender, RunRecord

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_BUILTINS = re.compile(
    r"[!.:\[{}]|break|command|continue|declare|do|done|echo|elif|else|esac|eval|exec|exit|export|false|fi|for|if|in|local"
    r"|printf|pwd|read|readonly|return|select|set|shift|source|test|then|time|times|trap|true|type|ulimit|umask|unset|until"
    r"|wait|while"
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line gave. Empty values mean: not given."""

    state_dir: str | None = None
    target: str = ""
    actor: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    theme: str = ""
    mouse: bool = True
    project: Path | None = None
    t0: str = ""
    window: str = ""


async def create(name: str, options: Options) -> Session:
    """Start a run of a checklist. Nothing is left behind when it cannot start."""
    loaded = checklists.load(checklists.find(name))
    project = options.project or Path.cwd()
    given = _given(loaded.checklist, options.variables)
    surroundings = _surroundings(loaded.checklist, project, options, given)
    clock = _clock(options)
    store = RunStore(state_directory(options.state_dir))
    learned = estimates.learn(store, loaded.checklist.title, loaded.checklist.target.environment, loaded.sha256)
    directory, run_id = store.create(loaded.checklist.title, loaded.source)
    actor = options.actor or processes.login_name()
    console = Console.here(actor)
    try:
        journal = await SqliteJournal.create(directory.journal, console)
        opened = {
            "run": run_id,
            "title": loaded.checklist.title,
            "checklist": str(loaded.path),
            "checklist_sha256": loaded.sha256,
            "target": surroundings.surroundings.target,
            "database": surroundings.target.name,
            "environment": loaded.checklist.target.environment,
            "project": str(project.absolute()),
            "variables": given,
        }
        redact = surroundings.surroundings.redact
        data = {key: redact(value) if isinstance(value, str) else value for key, value in opened.items()}
        data["variables"] = {key: redact(value) for key, value in given.items()}
        await journal.append(Draft(Kind.RUN_OPENED, data, actor, key="run.opened"))
        if learned:
            await journal.append(Draft(Kind.ESTIMATES_LEARNED, {"items": learned}, actor, key="estimates.learned"))
        if drilled := estimates.drilled(store, surroundings.target.name):
            await journal.append(Draft(Kind.DRILLED, drilled, actor, key="drilled:before"))
        if clock:
            await journal.append(Draft(Kind.CLOCK_SET, clock, actor, key="clock.set:option"))
    except JournalError:
        shutil.rmtree(directory.path, ignore_errors=True)
        raise
    return _session(loaded, journal, directory, surroundings, console, options)


async def resume(name: str | None, options: Options) -> Session:
    """Open an existing run again, as it was left."""
    directory = RunStore(state_directory(options.state_dir)).find(name)
    return await reopen(directory, options)


async def reopen(directory: RunDirectory, options: Options) -> Session:
    """Open a run by its directory. Raises StoppedError when today's target is not the run's."""
    if options.t0 or options.window:
        raise UsageError("A run's clock is moved on record", remedy="Move it in the console (O), with a reason.")
    if options.variables:
        raise UsageError(
            "A run keeps the variables it was opened with", remedy="Change them in the console, on record."
        )
    loaded, surroundings = restored(directory, options)
    console = Console.here(options.actor or processes.login_name())
    journal = await SqliteJournal.open(directory.journal, console)
    return _session(loaded, journal, directory, surroundings, console, options)


def restored(directory: RunDirectory, options: Options) -> tuple[Loaded, Setting]:
    """The frozen checklist of a run and its target as today's environment has it.

    Raises JournalError when the checklist was changed, StoppedError when the target is another one.
    """
    data = opened_data(directory)
    loaded = checklists.load(directory.checklist)
    if loaded.sha256 != data.get("checklist_sha256"):
        raise JournalError(
            "The frozen checklist of this run was changed",
            str(directory.checklist),
            "Put the original back; the run executes only what it was opened with.",
        )
    project = options.project or Path(str(data.get("project", ".")))
    given = {str(k): str(v) for k, v in dict(data.get("variables", {})).items()}  # type: ignore[call-overload]
    surroundings = _surroundings(loaded.checklist, project, options, given)
    if data.get("database") not in (None, surroundings.target.name):
        raise StoppedError(
            "This run belongs to another target",
            f"It was opened on {data['database']}; today's environment says {surroundings.target.name}.",
            "Set DATABASE_URL, or pass --target, to the run's own database.",
        )
    return loaded, surroundings


@dataclass(frozen=True, slots=True)
class Setting:
    """A resolved target with everything around it."""

    target: Target
    surroundings: Surroundings
    sender: AppriseSender


def _session(
    loaded: Loaded,
    journal: SqliteJournal,
    directory: RunDirectory,
    setting: Setting,
    console: Console,
    options: Options,
) -> Session:
    return Session(
        loaded.checklist,
        journal,
        directory,
        DetachedJobs(),
        database(loaded.checklist, directory, setting),
        setting.surroundings,
        console_id=console.id,
        actor=console.actor,
        read_only=options.read_only,
        record=RunRecord(directory, setting.surroundings.redact),
        sender=EvidenceSender(setting.sender, directory, setting.surroundings),
        desk=RunDesk(directory.path, options),
    )


def database(
    checklist: Checklist,
    directory: RunDirectory,
    setting: Setting,
    *,
    lock_timeout: float = CHECK_LOCK_TIMEOUT,
    sampling: bool = False,
) -> PostgresDatabase:
    """The target of a run, with what the run knows of its past: for its console, its watcher and its jobs."""
    return PostgresDatabase(
        setting.target,
        project=setting.surroundings.project,
        run=directory.path.name[-4:],
        past=RunPast(directory.path, checklist, redact=setting.surroundings.redact),
        lock_timeout=lock_timeout,
        sampling=sampling,
    )


def _clock(options: Options) -> dict[str, str | bool]:
    """What ``--t0`` and ``--window`` say, for the journal; {} when they were not given. Raises UsageError."""
    if not options.t0 and not options.window:
        return {}
    now = datetime.now(UTC)
    try:
        t0, end = settle(options.t0, options.window, now)
        later = settle(options.t0, options.window, now + timedelta(seconds=1))
    except MomentError as error:
        raise UsageError("--t0 and --window cannot be used so", str(error)) from None
    # "in 20 minutes" was reckoned from this host's time; the server, whose clock counts, has not been asked yet.
    named = {"t0": stamp(t0) if t0 else "", "window_end": stamp(end) if end else ""}
    return {**named, "local": later != (t0, end), "source": "option", "reason": ""}


def _given(checklist: Checklist, variables: Mapping[str, str]) -> dict[str, str]:
    """``--var`` values, all declared and none secret: they are recorded and were typed on a command line."""
    for name in variables:
        variable = checklist.variables.get(name)
        if variable is None:
            known = ", ".join(checklist.variables) or "none"
            raise UsageError(f"The checklist declares no variable “{name}”", f"It declares: {known}.")
        if variable.secret:
            where = variable.env or name
            raise UsageError(
                f"“{name}” is a secret and cannot be given with --var", remedy=f"Set {where} in the environment."
            )
    return dict(variables)


def _surroundings(checklist: Checklist, project: Path, options: Options, given: Mapping[str, str]) -> Setting:
    env_file = _env_file(checklist, project)
    environment = dict(os.environ)
    resolver = Resolver(checklist.variables, given=given, env_file=env_file, environment=environment)
    target = resolve_target(
        _target_url(checklist, resolver, options),
        environment={**environment, **env_file},
        password=_password(checklist.target.password_command, project),
    )
    secrets = Secrets(resolver.secret_values(), names=(target.host, target.database, target.user))
    for secret in target.secrets():
        secrets.add(secret)
    if target.password is not None:
        secrets.add_password(target.password)
    for address in addresses(checklist.notifications, resolver):
        if not address.startswith(COPY):
            secrets.add(address)
    child_secrets = {name: secret.reveal() for name, secret in target.child_secrets().items()}
    return Setting(
        target,
        Surroundings(
            project=project,
            target=target.display,
            env_file=env_file,
            environment=environment,
            child_environment=target.child_environment(),
            child_secrets=child_secrets,
            originals={name: secret.reveal() for name, secret in target.originals.items()},
            masks=secrets.reveal(),
            redact=secrets.redact,
            unavailable=_unavailable(checklist),
            missing=lambda script, cwd: _missing(script, project / cwd),
        ),
        sender_of(checklist.notifications, resolver, secrets.redact),
    )


def _password(command: str, project: Path) -> Secret | None:
    """What the checklist's password command prints; its first line, never shown. Raises UsageError when it fails."""
    if not command.strip():
        return None
    arguments = ["bash", "--noprofile", "--norc", "-o", "pipefail", "-c", command]
    try:
        done = subprocess.run(
            arguments, cwd=project, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        raise UsageError("The password command did not end", remedy="It has 30 seconds and no terminal.") from None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if done.returncode != 0 or not lines or not lines[0]:
        raise UsageError("The password command gave no password", f"It ended with exit {done.returncode}.")
    return Secret(lines[0])


def _target_url(checklist: Checklist, resolver: Resolver, options: Options) -> str | None:
    """``--target``, else the checklist's URL; None lets libpq's own variables speak where DATABASE_URL is not set."""
    if options.target:
        return options.target
    try:
        return resolver.expand(checklist.target.url)
    except UnresolvedError as error:
        if error.names == ("DATABASE_URL",):
            return None
        raise UsageError("The checklist's target has no value", str(error)) from None


def _env_file(checklist: Checklist, project: Path) -> dict[str, str]:
    if not checklist.env_file:
        return {}
    path = project / checklist.env_file
    try:
        return {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError("The env file cannot be read", f"{path}: {reason}") from None


def _unavailable(checklist: Checklist) -> dict[str, str]:
    """Checks and jobs that a checklist names and this version does not have."""
    walks = (*checklist.walk(), *checklist.walk_rollback())
    actions = [alternative.step.action for located in walks for alternative in located.item.steps]
    checks = {action.name for action in actions if isinstance(action, Check)} - set(CHECKS)
    jobs = {action.name for action in actions if isinstance(action, Job)} - set(JOBS_NOW)
    return {
        **{f"check:{n}": f"the check “{n}” is not available yet; look for yourself and attest it" for n in checks},
        **{f"job:{n}": f"the action “{n}” is not available yet; do it by hand and attest it" for n in jobs},
    }


def _missing(script: str, cwd: Path) -> str:
    """The first program or script of a shell text that is not here; "" when all are, or it cannot be told."""
    if not cwd.is_dir():
        return f"the directory {cwd} does not exist"
    try:
        programs = [_program(command) for command in commands(script)]
    except UnreadableError:
        return ""
    if "cd" in programs:
        return ""
    for word in programs:
        if not word or _BUILTINS.fullmatch(word):
            continue
        if "/" in word:
            path = cwd / word
            if not path.is_file():
                return f"{word} does not exist"
            if not os.access(path, os.X_OK):
                return f"{word} is not executable"
        elif shutil.which(word) is None:
            return f"{word} is not on the PATH"
    return ""


def _program(command: Command) -> str:
    """The program that a simple command starts, "" where the shell would put it in."""
    words = [word for word in command if not _ASSIGNMENT.match(word.text)]
    return words[0].text if words and words[0].literal else ""
