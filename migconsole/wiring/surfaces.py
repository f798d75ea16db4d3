"""Surfaces on a session: the full screen, the headless run, and the demo that shows either."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from migconsole.adapters import checklists
from migconsole.adapters.runs import RunDirectory, state_directory
from migconsole.adapters.themes import load_palettes
from migconsole.domain.checklist import Danger
from migconsole.domain.policy import BEFOREHAND
from migconsole.domain.restore_gate import OVERRIDE_REASON
from migconsole.engine.headless import Headless, Permissions
from migconsole.engine.headless_rollback import BackOut, HeadlessRollback
from migconsole.engine.ports import RunSummary
from migconsole.engine.session import Session
from migconsole.errors import EXIT_INTERRUPTED, TargetError, UsageError
from migconsole.wiring import health, opening, overview
from migconsole.wiring.opening import Options

Opening = Callable[[], Awaitable[Session]]


def demo_answers(now: datetime) -> dict[str, str]:
    """What the headless demo answers to the pack's questions that have no default: a window that begins at once."""
    return {"maintenance-window": f"{now:%Y-%m-%dT%H:%MZ} 2h"}


def demo_votes() -> dict[str, tuple[str, str]]:
    """How the roles of the pack vote in the headless demo: each says GO, explicitly, as ``--vote`` does."""
    roles = ("Database Admin", "DevOps Lead", "Application Lead", "QA Lead")
    return {role: ("go", "demo") for role in roles}


class RunLibrary:
    """What the runs screen lists and opens; see ``engine.ports.Library``."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def runs(self) -> list[RunSummary]:
        """All runs, newest first."""
        return overview.summaries(self._options.state_dir)

    def checklists(self) -> list[tuple[Path, str]]:
        """The checklists at hand with their titles."""
        return checklists.available()

    async def open(self, run: Path) -> Session:
        """Open an existing run."""
        return await opening.reopen(RunDirectory(run), self._options)

    async def create(self, checklist: Path) -> Session:
        """Start a run of a checklist."""
        return await opening.create(str(checklist), self._options)


def show(start: Opening | None, options: Options, *, leave_watcher: bool = True, fleeting: bool = False) -> int:
    """Open a session in the full screen, the runs screen without one; returns the exit code.

    ``fleeting``: what is shown is removed afterwards, and whoever leaves is told.
    """
    from migconsole.tui.launch import run_console  # noqa: PLC0415 - headless use must not load the screen library

    palettes, problems = load_palettes()
    return run_console(
        start=start,
        library=RunLibrary(options),
        health=health.opening_for(options, leave=leave_watcher),
        palettes=palettes,
        theme_problems=problems,
        theme=options.theme,
        mouse=options.mouse,
        state_directory=state_directory(options.state_dir),
        fleeting=fleeting,
    )


def permissions(
    *,
    attest_all: str,
    answers: Mapping[str, str],
    alternatives: Mapping[str, int],
    allow: str,
    confirm: str,
    stop_after: str,
    votes: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
) -> Permissions:
    """What the command line allows a headless run."""
    dangers = frozenset({Danger(allow)}) if allow else frozenset[Danger]()
    cast = {role: _vote(role, text) for role, text in (votes or {}).items()}
    past = _overrides(overrides)
    return Permissions(attest_all, dangers, confirm, dict(answers), dict(alternatives), stop_after, cast, past)


def _overrides(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """What is overridden as the command line gives it, ``ITEM=WHAT:REASON``. Raises UsageError."""
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        item, _, said = text.partition("=")
        what, _, reason = said.partition(":")
        name = what.strip()
        if not item.strip() or name not in BEFOREHAND or len(reason.strip()) < OVERRIDE_REASON:
            how = f"Write --override ITEM=WHAT:REASON, WHAT one of {', '.join(BEFOREHAND)}, the reason of at least"
            raise UsageError(f"“{text}” overrides nothing", remedy=f"{how} {OVERRIDE_REASON} characters.")
        found.setdefault(item.strip(), {})[name] = reason.strip()
    return found


def _vote(role: str, text: str) -> tuple[str, str]:
    """A vote as the command line gives it, ``GO:INITIALS``. Raises UsageError."""
    word, _, initials = text.partition(":")
    if word.strip().lower() not in ("go", "no-go") or not initials.strip():
        raise UsageError(
            f"“{role}={text}” is no vote", remedy="Write --vote ROLE=GO:INITIALS, with a person's initials."
        )
    return word.strip().lower(), initials.strip()


async def headless(
    start: Opening,
    allowed: Permissions,
    say: Callable[[str], None],
    *,
    watch: Options | None = None,
    back_out: BackOut | None = None,
) -> int:
    """Carry a run without a screen; returns the exit code. With ``watch`` its health is sampled from then on, with
    ``back_out`` it goes through the rollback procedure instead of forward.
    """
    session = await start()
    try:
        await session.open()
        if session.identity is None:
            raise TargetError(
                "The target cannot be used", session.problem, f"Then: migconsole resume {session.directory.name}"
            )
        say(f"{session.run.title}  on {session.target_display}")
        if watch is not None:
            from migconsole.wiring import watching  # noqa: PLC0415 - start-up time of the runs that need none of it

            pid = await asyncio.to_thread(watching.ensure_watcher, session.directory, watch)
            say(f"health is watched by process {pid}, until 24 h after the last step or the run's end")
        for attempt in session.adopted:
            say(f"taken over: {attempt.item} attempt {attempt.number}: {attempt.outcome or 'still running'}")
        driver = Headless(session, allowed, say)
        try:
            code = await (HeadlessRollback(session, allowed, back_out, say) if back_out else driver).run()
        except asyncio.CancelledError:
            say("interrupted; what runs goes on, `migconsole resume` follows it again")
            return EXIT_INTERRUPTED
        say(f"{driver.summary()}  journal {session.run.head} events, head {session.run.head_hash[:16]}")
        say(f"run {session.directory}")
        return code
    finally:
        await session.close()


def demo(scenario: str, *, keep: bool, headless_run: bool, options: Options, say: Callable[[str], None]) -> int:
    """Set the demo up, carry a run through it with or without a screen, and clean up."""
    from migconsole.demo.demo import Demo  # noqa: PLC0415 - the demo's parts are an extra

    with Demo(scenario=scenario, keep=keep, progress=say) as prepared:
        os.environ.update(prepared.environment)
        chosen = Options(
            state_dir=str(prepared.state_dir),
            variables=prepared.variables,
            project=prepared.project,
            actor=options.actor,
            theme=options.theme,
            mouse=options.mouse,
        )

        if prepared.come_back and not headless_run:
            say(prepared.come_back)  # already here: a console that is killed says nothing any more

        async def start() -> Session:
            return await opening.create("prisma", chosen)

        if headless_run:
            allowed = Permissions(
                attest_all="demo run",
                allow=frozenset({Danger.MUTATING}),
                answers=demo_answers(datetime.now(UTC)),
                votes=demo_votes(),
            )
            code = asyncio.run(headless(start, allowed, say))
        else:
            code = show(start, chosen, leave_watcher=False, fleeting=not keep)
    if prepared.come_back:
        say(prepared.come_back)
    return code
