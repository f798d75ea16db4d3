"""The wizard's pages over one survey; it ends with a decision, or with nothing at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region
from textual.screen import Screen
from textual.widgets import Static

from migconsole.domain.checklist import Item
from migconsole.domain.procedure import by_person
from migconsole.domain.rollback_means import Means
from migconsole.domain.rollback_plan import Option, Plan, Strategy
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.text import sanitise_line
from migconsole.engine.backing_out import BackingOut, Decided
from migconsole.engine.session import Session
from migconsole.errors import MigconsoleError
from migconsole.tui.bridge import Tick
from migconsole.tui.clock_line import clock_line
from migconsole.tui.commands import Context, Scope, bindings
from migconsole.tui.format import Clock
from migconsole.tui.screens.dialogs.base import Field, FormDialog
from migconsole.tui.screens.rollback import pages
from migconsole.tui.screens.rollback.confirm import RollbackConfirm
from migconsole.tui.widgets.banner import Banner, environment_class
from migconsole.tui.widgets.key_footer import KeyFooter
from migconsole.tui.widgets.status_bar import StatusBar

SURVEY, LOSS, WAY, PLAN = range(4)


@dataclass(slots=True)
class Looked:
    """What the pages are drawn from: one survey, and what follows from it."""

    survey: Survey
    options: tuple[Option, ...]
    proposed: Strategy
    chosen: Strategy
    plans: dict[Strategy, Plan] = field(default_factory=dict)


class RollbackScreen(Screen[Decided | None]):
    """Give it a survey that was made; ``reason`` and ``by`` were asked before. It changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.ROLLBACK)
    AUTO_FOCUS = None

    def __init__(self, session: Session, survey: Survey, reason: str, by: str, clock: Clock) -> None:
        super().__init__()
        self.session, self.clock = session, clock
        self.reason, self.by = reason, by
        self.page = SURVEY
        self.means = session.rollback.given
        self._looked = self._look(survey, None)

    def compose(self) -> ComposeResult:
        """Banner, where one is, the page, status, keys."""
        yield Banner(self.clock, id="banner")
        yield Static("", id="wizard-steps", markup=False)
        with VerticalScroll(id="wizard-page", can_focus=False):
            yield Static("", id="wizard-text", markup=False)
        yield StatusBar(id="status")
        yield KeyFooter(id="footer")

    def on_mount(self) -> None:
        """Draw the first page."""
        self.add_class(environment_class(self.session.run.environment))
        self.redraw()

    def on_resize(self) -> None:
        """Another width wraps otherwise."""
        self.call_after_refresh(self.redraw)
        self._follow_later()

    def on_tick(self, message: Tick) -> None:
        """The banner's clock."""
        self.query_one(Banner).refresh()

    # -- what is shown ----------------------------------------------------------------------------------------------

    @property
    def rollback(self) -> BackingOut:
        """The engine's side."""
        return self.session.rollback

    @property
    def plan(self) -> Plan:
        """The plan of the way that is chosen."""
        looked = self._looked
        if looked.chosen not in looked.plans:
            looked.plans[looked.chosen] = self.rollback.plan(looked.survey, looked.chosen, self.means)
        return looked.plans[looked.chosen]

    def context(self) -> Context:
        """The page, and why something is not possible on it."""
        return Context("rollback", str(self.page), self.session, reasons=self.reasons())

    def reasons(self) -> Mapping[str, str]:
        """Command → why not now."""
        reasons: dict[str, str] = {}
        if self.page != WAY:
            elsewhere = "the ways are chosen on the page “Which way”"
            reasons |= dict.fromkeys(("rollback_choose_next", "rollback_choose_previous"), elsewhere)
        if self.page == PLAN and self.plan.refusals:
            reasons["rollback_next"] = f"not possible now: {sanitise_line(self.plan.refusals[0], 200)}"
        return reasons

    def redraw(self) -> None:
        """Draw the page."""
        width = self._text_width
        self.query_one(Banner).show(self.session, False)
        self.query_one("#wizard-steps", Static).update(pages.steps_line(self.page, self.size.width - 2))
        box = self.query_one("#wizard-page", VerticalScroll)
        box.border_title = Content(pages.PAGES[self.page])
        self.query_one("#wizard-text", Static).update(self._content(width))
        self.query_one(KeyFooter).show(self.context())
        # The text is laid out one refresh later than it is given.
        self.call_after_refresh(self.call_after_refresh, self._say_more)

    @property
    def _text_width(self) -> int:
        # The frame, its padding, and the scrollbar that may or may not be there.
        return max(40, self.size.width - 6)

    def _content(self, width: int) -> Content:
        looked = self._looked
        if self.page == SURVEY:
            return pages.survey_page(looked.survey, self.reason, self.by, self._clock_text(width), width)
        if self.page == LOSS:
            return pages.loss_page(looked.survey, width)
        if self.page == WAY:
            return pages.ways_page(looked.options, looked.chosen, looked.proposed, self.means, width)
        items = self.rollback.procedure()
        return pages.plan_page(self.plan, items, self.rollback.restore, self._commands(items), width)

    def _clock_text(self, width: int) -> str:
        clock = self.session.clock.current()
        return "".join(text for text, _ in clock_line(clock, max(40, width - pages.LABEL))).strip()

    def _commands(self, items: Sequence[Item]) -> dict[str, str]:
        """The exact command of each line that has one today."""
        found = {}
        for item in items:
            if item.id != self.rollback.restore.id:
                preview = self.session.preview(item.id, self.session.default_alternative(item.id))
                asked = by_person(item.steps[preview.alternative].step.action)
                found[item.id] = preview.text if preview.text.strip() and not preview.unresolved and not asked else ""
        return found

    def _say_more(self) -> None:
        box = self.query_one("#wizard-page", VerticalScroll)
        below = round(box.max_scroll_y - box.scroll_y)
        box.border_subtitle = Content(f" ↓ {below} more row{'s' if below > 1 else ''} " if below > 0 else "")

    # -- keys -------------------------------------------------------------------------------------------------------

    def command_rollback_next(self) -> None:
        """The next page; from the last one to the question."""
        if self.page < PLAN:
            self._go(self.page + 1)
            return
        plan, chosen = self.plan, self._looked.chosen

        def decided(typed: tuple[str, str] | None) -> None:
            if typed is not None:
                self.dismiss(Decided(chosen, self.reason, self.by, *typed, means=self.means))

        self.app.push_screen(RollbackConfirm(plan, self.reason, self.by, self.clock), decided)

    def command_rollback_back(self) -> None:
        """The page before; from the first one out, with nothing decided."""
        if self.page > SURVEY:
            self._go(self.page - 1)
        else:
            self.dismiss(None)

    def command_rollback_choose_next(self) -> None:
        """The next way."""
        self._choose(1)

    def command_rollback_choose_previous(self) -> None:
        """The way before."""
        self._choose(-1)

    def command_rollback_down(self) -> None:
        """Scroll down, on the page of ways choose."""
        if self.page == WAY:
            self._choose(1)
        else:
            self._scroll(3)

    def command_rollback_up(self) -> None:
        """Scroll up, on the page of ways choose."""
        if self.page == WAY:
            self._choose(-1)
        else:
            self._scroll(-3)

    def command_rollback_page_down(self) -> None:
        """A screen down."""
        self._scroll(max(3, self.query_one("#wizard-page").size.height - 2))

    def command_rollback_page_up(self) -> None:
        """A screen up."""
        self._scroll(-max(3, self.query_one("#wizard-page").size.height - 2))

    def command_rollback_again(self) -> None:
        """Look at the databases again: sessions come and go, and the age grows."""
        self.run_worker(self._again(), group="survey", exclusive=True, exit_on_error=False)

    def command_rollback_means(self) -> None:
        """Name what a way back needs: a backup, a revert script, a place for the failed data, room."""
        labels = {
            "backup": "the backup to restore from (a folder)",
            "script": "the revert script (way revert)",
            "keep": "where the failed data is dumped to first (way in-place)",
            "free": "free on the server's volume, where it cannot be seen",
            "old_app": "how the old version is known to run on the new schema (app-only)",
        }
        places = {"backup": "the run's own", "script": "down.sql", "keep": "/srv/kept", "free": "80GB"}
        places["old_app"] = "only adds columns; run on staging on Tuesday"
        fields = [
            Field(name, label, getattr(self.means, name), placeholder=places[name]) for name, label in labels.items()
        ]
        text = "Paths count from the project. It goes on record with the decision."

        def named(said: dict[str, str] | None) -> None:
            if said is not None:
                self.means = Means(**{name: value.strip() for name, value in said.items()})
                self.command_rollback_again()

        self.app.push_screen(FormDialog("What the way back needs", text, fields, self.clock), named)

    def command_rollback_copy(self) -> None:
        """Copy the exact steps, for a person with psql."""
        text = "\n\n".join(f"-- {step.title}\n{step.text}" for step in self.plan.steps)
        self.app.copy_to_clipboard(self.session.copy_text(text))
        self.query_one(StatusBar).hint("the plan's steps are copied")

    async def _again(self) -> None:
        status = self.query_one(StatusBar)
        status.hint("looking at the databases …")
        try:
            survey = await self.rollback.survey(self.means)
        except MigconsoleError as error:
            status.error(" · ".join(part for part in (error.title, error.detail) if part))
            return
        self._looked = self._look(survey, self._looked.chosen)
        status.hint("looked again just now")
        self.redraw()

    def _look(self, survey: Survey, chosen: Strategy | None) -> Looked:
        options = self.rollback.options(survey, self.means)
        proposed = self.rollback.proposed(options)
        return Looked(survey, options, proposed, chosen or proposed)

    def _go(self, page: int) -> None:
        self.page = page
        self.query_one("#wizard-page", VerticalScroll).scroll_home(animate=False)
        self.query_one(StatusBar).hint("")
        self.redraw()
        self._follow_later()

    def _choose(self, step: int) -> None:
        ways = [option.strategy for option in self._looked.options]
        at = ways.index(self._looked.chosen)
        self._looked.chosen = ways[max(0, min(len(ways) - 1, at + step))]
        self.redraw()
        self._follow_later()

    def _follow_later(self) -> None:
        if self.page == WAY:
            # The text is laid out one refresh later than it is given.
            self.call_after_refresh(self.call_after_refresh, self._follow)

    def _follow(self) -> None:
        """Keep the chosen way in view, whole."""
        if self.page != WAY:
            return
        looked, box = self._looked, self.query_one("#wizard-page", VerticalScroll)
        first, rows = pages.way_rows(looked.options, looked.chosen, looked.proposed, self.means, self._text_width)
        # From its end upwards: a way that is longer than the page begins at its top.
        box.scroll_to_region(Region(0, first, 1, rows), animate=False, force=True)
        self._say_more()

    def _scroll(self, rows: int) -> None:
        self.query_one("#wizard-page", VerticalScroll).scroll_relative(y=rows, animate=False)
        self.call_after_refresh(self._say_more)
