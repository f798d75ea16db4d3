"""The application: one session or a library of runs, the screens over them, and every way out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.command import Provider
from textual.screen import Screen
from textual.widgets import Input, Static

from migconsole.domain.policy import OUT_OF_ORDER
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.palette import Palette
from migconsole.engine.session import Session
from migconsole.errors import EXIT_FAILED, MigconsoleError
from migconsole.tui import commands, theming
from migconsole.tui.commands import BY_ID, Context, Scope
from migconsole.tui.crash import install_signals, write_log
from migconsole.tui.exits import Answer
from migconsole.tui.format import Clock
from migconsole.tui.library import Library
from migconsole.tui.openings import Openings
from migconsole.tui.operations import Operations
from migconsole.tui.palette import RegistryProvider
from migconsole.tui.screens.checklist_keys import MOVED
from migconsole.tui.screens.dialogs.base import Dialog
from migconsole.tui.screens.health import HealthAccess, HealthOpening, HealthScreen
from migconsole.tui.screens.help import HelpScreen
from migconsole.tui.screens.main import MainScreen
from migconsole.tui.screens.rollback import RollbackScreen
from migconsole.tui.screens.runs import RunsScreen
from migconsole.tui.screens.sign_off import SignOffScreen
from migconsole.tui.screens.timeline import TimelineScreen
from migconsole.tui.themed import Themed
from migconsole.tui.widgets.status_bar import StatusBar

OWN_KEYS = (MainScreen, RunsScreen, TimelineScreen, SignOffScreen, HealthScreen, RollbackScreen)
"""The screens that say which keys mean something; everything else lies over one of them."""


ELSEWHERE = {"note_timeline": "note", "sign_end": "end_run"}
"""Commands of other screens that are one of the main screen's: there is one way of doing each thing."""


class MigconsoleApp(Themed, Openings):
    """Give it a session (opened or not), a library, or only ``health``, which then is all there is.

    ``launch`` runs it and says where the run lies.
    """

    TITLE = "migconsole"
    CSS_PATH: ClassVar[Any] = ["styles/app.tcss", "styles/dialogs.tcss", "styles/health.tcss", "styles/rollback.tcss"]
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {RegistryProvider}
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings(Scope.APP)
    # The base class leaves these instance variables.
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (80, "-narrow"), (110, "-wide"), (160, "-very-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (24, "-short"), (36, "-tall")]  # noqa: RUF012
    AUTO_FOCUS = None

    def __init__(
        self,
        session: Session | None = None,
        *,
        library: Library | None = None,
        health: HealthOpening | None = None,
        palettes: Sequence[Palette] = (),
        theme_problems: Sequence[str] = (),
        theme: str = theming.DEFAULT,
        state_directory: Path | None = None,
        opened: bool = False,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self.session, self.library, self.clock = session, library, clock or Clock()
        self._open_health = health
        self.take_palettes(palettes, theme_problems, theme)
        self._state_directory = state_directory
        self._opened = opened
        self._tasks: set[asyncio.Task[None]] = set()
        self._undo_signals: Callable[[], None] = lambda: None
        self.log_path: Path | None = None
        self.animation_level = "none"

    # -- life -----------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """What stands on the screen until the run is open."""
        yield Static("opening…", id="opening", markup=False)

    def health_of(self, session: Session | None) -> HealthAccess | None:
        """What the health of a run, or of the watched target without one, is read with."""
        return self._open_health(session) if self._open_health is not None else None

    async def on_mount(self) -> None:
        """Show the first screen at once; connecting goes on behind it."""
        self._undo_signals = install_signals(self._leave_by_signal)
        self.register_palettes()
        if self.session is not None:
            self.perform(self.enter(self.session))
        elif self.library is not None:
            await self.push_screen(RunsScreen(self.library, self.clock))
        else:
            self.command_health()

    async def on_unmount(self) -> None:
        """Let go of everything; jobs go on by themselves."""
        self._undo_signals()
        if self._bridge is not None:
            self._bridge.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.forget_health()
        if self.session is not None and self._opened:
            await self.session.close()

    def _leave_by_signal(self, code: int) -> None:
        self.exit(code, return_code=code)

    def _handle_exception(self, error: Exception) -> None:
        """Textual's own handler prints local variables, passwords among them; this one writes a masked log."""
        self._return_code = EXIT_FAILED
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
            session = self.session
            directory = session.directory if session else self._state_directory or Path.home()
            self.log_path = write_log(error, directory, session.copy_text if session else str)
        self._close_messages_no_wait()

    # -- commands -------------------------------------------------------------------------------------------------

    def context(self) -> Context:
        """The context of the topmost screen that is no dialog."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, OWN_KEYS):
                context = replace(screen.context(), health=self._open_health is not None)
                return context if self.library is None else replace(context, library=True)
        return Context(screen="", session=self.session)

    async def action_command(self, id: str) -> None:
        """Do a command, or say why not."""
        command = BY_ID[id]
        if isinstance(self.screen, MainScreen) and self.screen.just_moved(id):
            self.hint(MOVED)
            return
        context = self.context()
        judged = commands.verdict(command, context)
        # What only the clock speaks against is asked about on the way, after the way of doing it was chosen.
        if not judged.allowed and not (judged.asks and id == "run"):
            more = f" (o: {judged.how or OUT_OF_ORDER}, with a reason)" if judged.overridable else ""
            still = partial(self._stands, id, judged.reason)
            self.hint(f"{command.title}: {judged.reason}{more}", still)
            return
        screen = next((s for s in reversed(self.screen_stack) if hasattr(s, f"command_{id}")), None)
        if hasattr(self, f"command_{id}"):
            getattr(self, f"command_{id}")()
        elif screen is not None:
            getattr(screen, f"command_{id}")()
        else:
            main = next(s for s in self.screen_stack if isinstance(s, MainScreen))
            name = ELSEWHERE.get(id, id)
            self.perform(getattr(Operations(self, main), name)(context))

    def _stands(self, id: str, reason: str) -> bool:
        """Whether a command is still refused for the same reason."""
        return commands.verdict(BY_ID[id], self.context()).reason == reason

    def perform(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work that outlives a screen; what goes wrong is said, and stays said until acknowledged."""

        async def guarded() -> None:
            try:
                await work
            except MigconsoleError as error:
                self.trouble(error)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self._handle_exception(error)

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def ask(self, screen: Screen[Answer | None]) -> Answer | None:
        """Show a dialog and wait for its answer, from a task that no screen owns."""
        answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

        def done(value: Answer | None) -> None:
            if not answer.done():
                answer.set_result(value)

        await self.push_screen(screen, done)
        return await answer

    # -- saying things --------------------------------------------------------------------------------------------

    def _status(self) -> StatusBar | None:
        for screen in reversed(self.screen_stack):
            found: list[StatusBar] = list(screen.query(StatusBar))
            if found:
                return found[0]
        return None

    def hint(self, text: str, holds: Callable[[], bool] | None = None) -> None:
        """Say something in the status row until the next hint, or for as long as it ``holds``."""
        status = self._status()
        if status is not None:
            status.hint(text, holds)

    def alert(self, text: str, *, grave: bool = True) -> None:
        """The same so that nobody overlooks it."""
        status = self._status()
        if status is not None:
            status.alert(text, grave=grave)

    def trouble(self, error: MigconsoleError) -> None:
        """An error: sticky in the status row, and whole in a dialog."""
        status = self._status()
        if status is not None:
            status.error(" · ".join(part for part in (error.title, error.detail) if part))
        body = sanitise("\n\n".join(part for part in (error.detail, error.remedy) if part), 8000)
        self.push_screen(Dialog[bool](sanitise_line(error.title, 80), body, self.clock, danger=True, keys="esc back"))

    def toast(self, text: str, severity: Any = "information") -> None:
        """The only way to a toast: what it says is never markup, never a control sequence."""
        self.notify(sanitise(text, 400), severity=severity, markup=False)

    # -- commands of the application ------------------------------------------------------------------------------

    def command_help(self) -> None:
        """Keys, and why one is disabled."""
        self.push_screen(HelpScreen(self.context()))

    def command_palette(self) -> None:
        """Every command by name."""
        self.action_command_palette()

    def action_command_palette(self) -> None:
        """Not over a dialog: a command chosen there would act behind it."""
        if not self.screen.is_modal:
            super().action_command_palette()
            self.call_after_refresh(self._still)

    def _still(self) -> None:
        for field in self.screen.query(Input):
            field.cursor_blink = False

    def command_theme(self) -> None:
        """The next theme."""
        names = list(self.theme_titles())
        at = names.index(self.theme) if self.theme in names else -1
        self.use_theme(names[(at + 1) % len(names)])
        self.hint(f"theme: {self.theme_titles()[self.theme]}")

    def command_timeline(self) -> None:
        """Everything that happened."""
        if self.session is None:
            return
        main = next(s for s in self.screen_stack if isinstance(s, MainScreen))

        def chosen(which: tuple[str, int] | None) -> None:
            if which is not None:
                main.output.show(*which)
                main.go_pane("output")

        self.push_screen(TimelineScreen(self.session, self.clock), chosen)

    def command_sign_off(self) -> None:
        """Who has signed, in spite of what."""
        if self.session is not None:
            self.push_screen(SignOffScreen(self.session, self.clock))

    def command_health(self) -> None:
        """The database in view."""
        access = self.health or self.health_of(self.session)
        if access is None:
            self.hint("health: no watcher runs: there is nothing to show")
            return
        self.push_screen(HealthScreen(access.source, session=self.session, clock=self.clock, ports=access.ports))
