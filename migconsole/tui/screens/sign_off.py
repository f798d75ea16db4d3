"""The sign-off: what deviates and stands, who has signed for which role, and closing the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.cells import set_cell_size
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.screen import Screen

from migconsole.domain.deviations import GRAVE, Deviation, Sort
from migconsole.domain.signing import Signature
from migconsole.domain.text import sanitise_line
from migconsole.engine.session import Session
from migconsole.engine.signing import NAME, REASON, SIGNATURE
from migconsole.tui import format
from migconsole.tui.bridge import RunChanged, Tick
from migconsole.tui.commands import Context, Scope, bindings
from migconsole.tui.format import Clock
from migconsole.tui.lines import cut
from migconsole.tui.screens.dialogs.base import Choice, ChoiceDialog, Field, FormDialog, at_least
from migconsole.tui.widgets.banner import Banner
from migconsole.tui.widgets.key_footer import KeyFooter
from migconsole.tui.widgets.row_list import Entry, RowList
from migconsole.tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from migconsole.tui.exits import Exits

_QUIET = (Sort.SKIPPED, Sort.EXCLUDED, Sort.TAKEN)
PANES = ("#roles", "#deviations")


class SignOffScreen(Screen[None]):
    """Shows first what a signature is given in spite of; signing is for whoever drives and whoever watches."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.SIGN_OFF)
    AUTO_FOCUS = "#roles"

    def __init__(self, session: Session, clock: Clock) -> None:
        super().__init__()
        self.session, self.clock = session, clock

    def compose(self) -> ComposeResult:
        """Banner, deviations, roles, status, keys."""
        yield Banner(self.clock, id="banner")
        yield RowList(id="deviations")
        yield RowList(id="roles")
        yield StatusBar(id="status")
        yield KeyFooter(id="footer")

    def on_mount(self) -> None:
        """Draw it all."""
        self.redraw()

    def on_run_changed(self, message: RunChanged) -> None:
        """Somebody signed, or something changed."""
        self.redraw()

    def on_tick(self, message: Tick) -> None:
        """The banner's clock."""
        self.query_one(Banner).refresh()

    def context(self) -> Context:
        """The run is open; why the chosen role cannot be signed for is this screen's to say."""
        role = self.role()
        why = self.session.signing.refusal(role)
        reasons = {"sign": why} if why else {}
        return Context(screen="sign-off", pane="sign-off", session=self.session, reasons=reasons)

    def role(self) -> str:
        """The role under the cursor."""
        return self.query_one("#roles", RowList).cursor.removeprefix("role:")

    # -- drawing --------------------------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Draw everything that depends on the run."""
        session, run = self.session, self.session.run
        found = self._found()
        deviations = self.query_one("#deviations", RowList)
        deviations.show(
            [_deviation(number, entry) for number, entry in enumerate(found)] or [_none(bool(run.ended_at))]
        )
        deviations.border_title = Content(f"Deviations that stand · {len(found)}")
        signing = session.signing
        superseded = signing.state.superseded
        entries = [_role(role, signing.state.signatures.get(role), superseded) for role in signing.roles]
        roles = self.query_one("#roles", RowList)
        roles.show(entries or [Entry("", lambda width: Content.styled(" this checklist names no roles", "$muted"))])
        roles.border_title = Content(self._title())
        roles.border_subtitle = Content(f" on journal {run.head}, {run.head_hash[:16]} ")
        roles.styles.height = max(len(entries), 1) * 1 + 2
        why = "" if run.life.closed else signing.refusal()
        self.query_one(StatusBar).standing(f"nobody can sign now: {why}" if why else "")
        self.query_one(Banner).show(session, False)
        self.query_one(KeyFooter).show(self.context())

    def _title(self) -> str:
        life = self.session.run.life
        if not life.closed:
            return "Sign-off"
        when = format.clock_time(life.closed, day=True)
        return f"Sign-off · closed {when} UTC by {sanitise_line(life.closed_by, 40)} · reports in the run directory"

    # -- keys -----------------------------------------------------------------------------------------------------

    def command_sign_pane(self) -> None:
        """The other list."""
        focused = 1 if self.query_one(PANES[1]).has_focus else 0
        self.query_one(PANES[1 - focused]).focus()

    def command_sign_back(self) -> None:
        """The message, or back to the run."""
        if not self.query_one(StatusBar).acknowledge():
            self.dismiss(None)

    def command_sign(self) -> None:
        """Sign for the chosen role."""
        cast("Exits", self.app).perform(self._sign(self.role(), self.session.run.head))

    def command_refuse(self) -> None:
        """Refuse for the chosen role."""
        cast("Exits", self.app).perform(self._refuse(self.role(), self.session.run.head))

    def command_close_run(self) -> None:
        """Close the run."""
        cast("Exits", self.app).perform(self._close())

    def on_row_list_opened(self, message: RowList.Opened) -> None:
        """A second click on a role signs for it."""
        if message.key.startswith("role:") and "sign" not in self.context().reasons:
            self.command_sign()

    async def _sign(self, role: str, seen: int) -> None:
        fields = [
            Field("name", "name", self.session.actor, check=at_least(NAME)),
            Field("signature", "signature", placeholder="typed: your name or initials", check=at_least(SIGNATURE)),
        ]
        digest = self.session.timeline()[seen - 1].hash[:16]
        text = Content.assemble(
            f"You sign as {sanitise_line(role)} for what the journal holds up to event {seen}.\n",
            (f"hash {digest}\n\n", "$muted"),
            *_summary(self._found()),
        )
        said = await cast("Exits", self.app).ask(FormDialog("Sign off", text, fields, self.clock))
        if said is not None:
            await self.session.signing.sign(role, said["name"], said["signature"], seen)

    async def _refuse(self, role: str, seen: int) -> None:
        fields = [
            Field("name", "name", self.session.actor, check=at_least(NAME)),
            Field("reason", "why not", check=at_least(REASON)),
        ]
        text = f"The refusal of {sanitise_line(role)} is on record with its reason, and listed in every report."
        said = await cast("Exits", self.app).ask(FormDialog("Refuse to sign", text, fields, self.clock, danger=True))
        if said is not None:
            await self.session.signing.refuse(role, said["name"], said["reason"], seen)

    def _found(self) -> list[Deviation]:
        return self.session.signing.deviations()

    async def _close(self) -> None:
        refused = len(self.session.signing.state.refused())
        text = "Nothing can be changed afterwards; notes are addenda. The reports are written into the run directory."
        if refused:
            text = f"{refused} refused to sign. {text}"
        choices = [
            Choice("stay", "b", "leave it open"),
            Choice("close", "y", "close the run", "for good", True),
        ]
        dialog = ChoiceDialog("Close the run", text, choices, self.clock)
        if await cast("Exits", self.app).ask(dialog) == "close":
            await self.session.signing.close()


def _none(ended: bool) -> Entry:
    if not ended:
        return Entry("", lambda width: Content.styled(" none so far: the run goes on", "$muted"))
    return Entry("", lambda width: Content.styled(" none: every line was done as the checklist has it", "$good"))


def _deviation(number: int, found: Deviation) -> Entry:
    style = "bold $danger" if found.sort in GRAVE else "$muted" if found.sort in _QUIET else "$caution"

    def draw(width: int) -> Content:
        texts = [
            (f" {found.sort.value:<21} ", style),
            (sanitise_line(found.what, 120), ""),
            (f"  {sanitise_line(found.why, 200)}" if found.why else "", "$muted"),
            (f"  {sanitise_line(found.actor, 30)}" if found.actor and width >= 90 else "", "$muted"),
        ]
        return Content.assemble(*cut(texts, width))

    return Entry(f"deviation:{number}", draw)


def _role(role: str, signature: Signature | None, superseded: list[Signature]) -> Entry:
    name = sanitise_line(role, 40)

    def draw(width: int) -> Content:
        texts: list[tuple[str, str]]
        if signature is None:
            again = any(old.role == role for old in superseded)
            words = "signed before a later change; sign again" if again else "not signed"
            texts = [("□  ", "$muted"), (set_cell_size(name, 24), ""), (words, "$caution" if again else "$muted")]
        else:
            mark, style = ("✘  ", "$status-failed") if signature.refused else ("●  ", "$status-attested")
            words = f"refused: {signature.reason}" if signature.refused else signature.text
            texts = [(mark, style), (set_cell_size(name, 24), "bold")]
            texts += [(set_cell_size(sanitise_line(signature.name, 40), 22), "")]
            texts += [(f"{format.clock_time(signature.at, day=width >= 100)}  ", "$muted")]
            texts += [(sanitise_line(words, 80), "$danger" if signature.refused else "italic")]
            texts += [(f"  on {signature.head}, {signature.hash[:8]}", "$muted")]
        return Content.assemble(*cut([(" ", ""), *texts], width))

    return Entry(f"role:{role}", draw)


def _summary(found: list[Deviation]) -> list[tuple[str, str]]:
    if not found:
        return [("No deviation stands.", "$good")]
    counts: dict[Sort, int] = {}
    for deviation in found:
        counts[deviation.sort] = counts.get(deviation.sort, 0) + 1
    texts: list[tuple[str, str]] = [("You have seen, and sign in spite of: ", "")]
    for number, (sort, count) in enumerate(counts.items()):
        texts.append((f"{', ' if number else ''}{count} {sort.value}", "bold $danger" if sort in GRAVE else "$caution"))
    return texts
