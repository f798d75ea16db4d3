"""The output view driven by keys and mouse, over real files that real processes write."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.events import MouseScrollUp
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.scrollbar import ScrollTo
from textual.selection import Selection

from migconsole.adapters.output_marks import STDERR_NAME, TIMES_NAME, pack_moment, pack_range
from migconsole.adapters.outputs import LINE_LIMIT, WINDOW, FileOutput
from migconsole.domain.text import sanitise
from migconsole.tui.widgets import output_copy
from migconsole.tui.widgets.output_view import OutputView
from tests.domain.test_text import HOSTILE
from tests.waiting import eventually


class ViewApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def compose(self) -> ComposeResult:
        yield OutputView(id="view")

    def on_output_view_status(self, message: OutputView.Status) -> None:
        self.seen.append(message.text)
        self.notify(message.text, markup=False)

    def on_output_view_followed(self) -> None:
        self.seen.append("<followed>")

    def on_output_view_unfollowed(self) -> None:
        self.seen.append("<unfollowed>")


@dataclass
class Desk:
    """An app with the view, its pilot, and the file it shows."""

    app: ViewApp
    pilot: Pilot[None]
    view: OutputView
    path: Path
    outputs: list[FileOutput] = field(default_factory=list)

    def open(self, content: bytes | None = None) -> FileOutput:
        if content is not None:
            self.path.write_bytes(content)
        output = FileOutput(self.path)
        self.outputs.append(output)
        self.view.show(output, "a job")
        return output

    def add(self, content: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(content)

    @property
    def rows(self) -> list[str]:
        """What the screen shows, the gutter and the scrollbar cut off."""
        return [
            "".join(segment.text for segment in self.view.render_line(y))[2:].rstrip()
            for y in range(self.view.size.height)
        ]

    async def shows(self, *texts: str) -> None:
        await eventually(
            lambda: all(any(text in row for row in self.rows) for text in texts), message=f"{texts} shown: {self.rows}"
        )

    async def says(self, text: str) -> None:
        await eventually(lambda: any(text in said for said in self.app.seen), message=f"{text!r} said: {self.app.seen}")


DeskMaker = Callable[..., Any]


@pytest.fixture
def desk(tmp_path: Path) -> DeskMaker:
    @asynccontextmanager
    async def open_desk(size: tuple[int, int] = (80, 12)) -> AsyncIterator[Desk]:
        app = ViewApp()
        async with app.run_test(size=size, notifications=True, tooltips=False) as pilot:
            desk = Desk(app, pilot, app.query_one(OutputView), tmp_path / "output.log")
            desk.view.focus()
            await pilot.pause()
            yield desk
            for output in desk.outputs:
                output.close()

    return open_desk


def numbered(count: int, start: int = 0) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(start, start + count))


async def test_nothing_to_show(desk: DeskMaker) -> None:
    async with desk() as d:
        d.view.show(None)
        await d.shows("Nothing has run here yet.")
        d.open()
        await d.shows("No output yet.")
        for key in ("up", "down", "pageup", "pagedown", "home", "end", "left", "right"):
            await d.pilot.press(key)
        d.view.search("x")
        d.view.next_problem()
        d.view.copy()
        await d.says("There is nothing to copy")


async def test_a_running_process_is_followed_to_its_last_line(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open()
        with d.path.open("wb") as file:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "for n in range(100000): print('row', n)", stdout=file
            )
        await d.shows("row 99999")
        assert await child.wait() == 0
        assert d.rows == [f"row {number}" for number in range(99_988, 100_000)]


async def test_going_up_leaves_the_end_and_end_comes_back(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(numbered(100))
        await d.shows("line 99")
        await d.pilot.press("up")
        assert not d.view.following
        before = d.rows[:-1]
        assert before[-1] == "line 97"
        d.add(numbered(1_204, start=100))
        await d.shows("1,204 new lines, press End")
        assert d.rows[:-1] == before
        await d.pilot.press("end")
        await d.shows("line 1303")
        assert d.view.following
        assert [said for said in d.app.seen if said.startswith("<")] == ["<followed>", "<unfollowed>", "<followed>"]


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ("pageup", "line 78"),
        ("k", "line 87"),
        ("home", "line 0"),
        ("g,j,j", "line 2"),
        ("g,pagedown", "line 10"),
        ("g,up,up", "line 0"),
        ("g,pagedown,pagedown,pageup", "line 10"),
    ],
)
async def test_keys_move_the_window(desk: DeskMaker, keys: str, first: str) -> None:
    async with desk() as d:
        d.open(numbered(100))
        await d.shows("line 99")
        await d.pilot.press(*keys.split(","))
        assert d.rows[0] == first
        assert not d.view.following


async def test_going_down_stops_at_the_last_line(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(numbered(30))
        await d.pilot.press("up", *["pagedown"] * 9)
        assert d.rows[-2] == "line 29"
        assert not d.view.following


async def test_wheel_scrollbar_and_bar(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(numbered(500))
        await d.shows("line 499")
        await d.pilot._post_mouse_events([MouseScrollUp], OutputView, button=0)
        assert d.rows[0] == "line 485"
        d.view.post_message(ScrollTo(y=250))
        await eventually(lambda: d.rows[0] == "line 250")
        assert d.view.vertical_scrollbar.position == 250
        await d.pilot.click(OutputView, offset=(5, 11))
        assert d.view.following
        assert d.rows[-1] == "line 499"


async def test_the_scrollbar_of_a_long_file_reaches_every_part_of_it(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(numbered(100_000))
        await d.shows("line 99999")
        bar = d.view.vertical_scrollbar
        end = bar.window_virtual_size - bar.window_size
        assert bar.position == end
        d.view.post_message(ScrollTo(y=end / 2))
        await eventually(lambda: not d.view.following)
        assert abs(d.view.window.top[0] - 50_000) < 200
        d.view.post_message(ScrollTo(y=end))
        await d.shows("line 99999")
        d.view.post_message(ScrollTo(y=0))
        await eventually(lambda: d.rows[0] == "line 0")


async def test_search_goes_on_from_the_other_end(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(numbered(50_000))
        await d.pilot.press("home")
        d.view.search("line 4999")
        await d.says("/line 4999/: line 5,000")
        assert "line 4999" in d.rows
        d.view.next_match()
        await d.says("line 49,991")
        d.view.next_match(-1)
        await eventually(lambda: d.app.seen[-1].endswith("line 5,000"))
        d.view.next_match(-1)
        await d.says("line 50,000 · went on from the end")
        d.view.next_match()
        await eventually(lambda: d.app.seen[-1].endswith("line 5,000 · went on from the top"))
        assert not d.view.following
        d.view.search("nowhere")
        await d.says("/nowhere/: no match")


async def test_search_marks_what_it_found(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(b"a needle in here\n")
        d.view.search("NEEDLE|needle")
        await d.says("line 1")
        found = [
            segment.text for segment in d.view.render_line(0) if segment.style is not None and segment.style.reverse
        ]
        assert found == ["needle"]
        assert d.view.render_line(0).text.startswith("›")
        d.view.search("")
        assert not [s for s in d.view.render_line(0) if s.style is not None and s.style.reverse]


@pytest.mark.parametrize("pattern", ["near '[/foo]'", "(", "x" * 500, "[red", "(?P<a>b"])
async def test_no_pattern_is_too_strange(desk: DeskMaker, pattern: str) -> None:
    async with desk() as d:
        d.open(b"first\n" + b"a" * 300 + b"\n" + pattern.encode() + b"\n")
        d.view.search(pattern)
        await d.says(": line 3")


async def test_a_match_deep_in_a_wrapped_line_is_brought_into_sight(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(b"x\n" + b"." * 9_000 + b"needle" + b"." * 5_000 + b"\ny\n")
        await d.pilot.press("home")
        d.view.search("needle")
        await d.shows("needle")


async def test_a_match_beyond_the_cut_is_said_to_be_there(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(b"." * 90_000 + b"needle")
        d.view.search("needle")
        await d.says("/needle/: line 1 · in a part of the line that is not shown")


async def test_a_pattern_without_end_is_given_up(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(b"a" * 5_000 + b"\n")
        d.view.search("(a|aa)+b")
        await d.says("takes too long on some line. Write it without")
        assert len(d.rows) == 12
        d.view.filter("(a|aa)+b")
        await d.says("all lines are shown")
        assert d.view.filter_query is None


async def test_search_without_a_pattern_says_so(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(numbered(3))
        d.view.next_match()
        await d.says("Nothing is searched for yet")


async def test_problems_are_jumped_to_and_marked(desk: DeskMaker) -> None:
    content = numbered(40) + b"ERROR:  no\n" + numbered(40) + b"\x1b[33mWARNING:\x1b[0m  hm\r\n" + numbered(40)
    async with desk() as d:
        d.open(content)
        await d.pilot.press("home")
        d.view.next_problem()
        await d.says("error or warning: line 41")
        await d.shows("ERROR:  no")
        d.view.next_problem()
        await d.says("error or warning: line 82")
        lines = [d.view.render_line(y).text for y in range(11)]
        assert any(line.startswith("› WARNING:  hm") for line in lines)
        d.view.next_problem(-1)
        await eventually(lambda: d.app.seen[-1].endswith("line 41"))
        await d.pilot.press("down", "down", "pagedown")
        assert d.view.current == 40


async def test_filter_lists_matching_lines_as_they_come(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(numbered(20_000))
        d.view.filter("line 1999")
        await d.shows("11 of 20,000 lines match /line 1999/")
        await d.shows("line 19999")
        assert d.rows[:11] == ["line 1999", *(f"line {number}" for number in range(19_990, 20_000))]
        d.add(b"line 1999 again\nline x\n")
        await d.shows("line 1999 again", "12 of 20,002 lines match")
        await d.pilot.press("home")
        d.view.search("19998")
        await d.says("line 19,999")
        d.view.filter(None)
        assert d.view.filter_query is None
        await d.pilot.press("end")
        assert d.rows[-1] == "line x"


async def test_a_line_that_grows_is_filtered_once(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(b"one match")
        d.view.filter("match")
        await d.shows("1 of 1 lines match")
        d.add(b" and match\ntwo match\n")
        await d.shows("2 of 2 lines match", "one match and match")


async def test_a_filter_nothing_matches(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(numbered(10))
        d.view.filter("zebra")
        await d.shows("No line matches the filter.", "0 of 10 lines match")


async def test_wrap_toggle_and_sideways(desk: DeskMaker) -> None:
    async with desk(size=(43, 6)) as d:
        d.open(b"".join(b"%02d" % number for number in range(50)) + b"\nshort\n")
        await d.shows("short")
        assert d.rows[:4] == ["".join(f"{n:02}" for n in range(a, b)) for a, b in ((0, 20), (20, 40), (40, 50))] + [
            "short"
        ]
        d.view.toggle_wrap()
        await d.says("go on to the right")
        assert d.rows[0] == "".join(f"{n:02}" for n in range(20))[:-1] + "›"
        await d.pilot.press("right")
        assert d.rows[0].startswith("0405")
        await d.shows("from column 9")
        await d.pilot.press("left", "left")
        assert d.rows[0].startswith("0001")
        d.view.toggle_wrap()
        assert d.rows[3] == "short"


async def test_a_match_out_of_sight_to_the_right_is_brought_into_it(desk: DeskMaker) -> None:
    async with desk(size=(43, 6)) as d:
        d.open(b"x" * 200 + b"needle" + b"x" * 200)
        d.view.toggle_wrap()
        d.view.search("needle")
        await d.shows("needle")


async def test_resize_wraps_anew_and_keeps_the_place(desk: DeskMaker) -> None:
    async with desk(size=(80, 10)) as d:
        d.open(b"".join(b"%04d " % number + b"x" * 150 + b"\n" for number in range(200)))
        await d.shows("0199")
        await d.pilot.press("home", *["pagedown"] * 5)
        first = d.view.window.rows()[0].number
        await d.pilot.resize_terminal(50, 20)
        assert d.view.window.rows()[0].number == first
        assert len(d.rows) == 20
        await d.pilot.resize_terminal(120, 9)
        assert d.view.window.rows()[0].number == first
        await d.pilot.press("end")
        await d.pilot.resize_terminal(60, 15)
        assert d.rows[-1].startswith("x" * 20)
        assert d.view.window.rows()[-1].number == 199


@pytest.mark.parametrize("wrap", [True, False])
@pytest.mark.parametrize("left", [0, 8, 16])
async def test_wide_and_combining_characters_keep_the_grid(desk: DeskMaker, wrap: bool, left: int) -> None:
    lines = [
        "日本語" * 30,
        "e\u0301" * 90,
        "a" + "漢" * 60,
        "👍🏽" * 40,
        "ｱ" * 90,
        "한글" * 30,
        "ทำ" * 40,
        "x" * 77 + "界",
    ]
    async with desk(size=(80, 40)) as d:
        if not wrap:
            d.view.toggle_wrap()
        d.open("\n".join(lines).encode())
        d.view.window.left = left
        d.view.refresh()
        await d.pilot.pause()
        strips = [d.view.render_line(y) for y in range(40)]
        assert {cell_len(strip.text) for strip in strips} == {79}
        assert {strip.cell_length for strip in strips} == {79}
        if wrap:
            joined = "".join(strip.text[2:].rstrip(" ") for strip in strips)
            assert joined == "".join(lines)


@pytest.mark.parametrize(("hostile", "safe"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_output_is_only_text(desk: DeskMaker, hostile: str | bytes, safe: str) -> None:
    raw = hostile if isinstance(hostile, bytes) else hostile.encode("utf-8", "surrogatepass")
    async with desk() as d:
        d.open(raw + b"\n[/foo] [red] $x\n")
        await d.shows("[/foo] [red] $x")
        drawn = "".join(d.view.render_line(y).text for y in range(12))
        assert drawn == sanitise(drawn)
        d.view.search("[/foo]")
        await d.says("[/foo]")
        await d.pilot.pause()
        d.view.copy()
        assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", d.app.clipboard) is None
        d.view.show(d.view.output, raw.decode("utf-8", "replace"))
        assert d.view.title == sanitise(d.view.title)


@pytest.mark.parametrize("wrap", [True, False])
async def test_a_line_that_is_cut_says_so(desk: DeskMaker, wrap: bool) -> None:
    async with desk(size=(200, 100)) as d:
        if not wrap:
            d.view.toggle_wrap()
        d.open(b"before\n" + b"x" * 1_048_576 + b"\nafter\n")
        await d.shows("after")
        joined = "".join(d.rows)
        assert f"… 1,048,576 bytes, cut at {LINE_LIMIT:,}; full: {d.path}" in joined


async def test_a_long_progress_line_shows_its_end(desk: DeskMaker) -> None:
    async with desk(size=(160, 10)) as d:
        d.open(b"".join(b"%6d %%\r" % number for number in range(10_000)))
        await d.shows("  9999 %", "90,000 bytes, overwrote itself, its end is shown")


async def test_progress_overwrites_itself_on_the_screen(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(b"10 %\r")
        await d.shows("10 %")
        d.add(b"20 %\r")
        await d.shows("20 %")
        assert not any("10 %" in row for row in d.rows)


async def test_stderr_is_marked(desk: DeskMaker) -> None:
    async with desk() as d:
        (d.path.parent / STDERR_NAME).write_bytes(pack_range(4, 8))
        d.open(b"out\nerr\nout\n")
        await d.shows("err")
        assert [d.view.render_line(y).text[:5] for y in range(3)] == ["  out", " ┃err", "  out"]


async def test_times(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(b"out\n")
        d.view.toggle_timestamps()
        await d.says("No times were kept")
        (d.path.parent / TIMES_NAME).write_bytes(pack_moment(0, 3_661.5) + pack_moment(4, 3_662.75))
        d.add(b"later\n")
        await d.shows("later")
        d.view.toggle_timestamps()
        await d.shows("01:01:01.500 out", "01:01:02.750 later")
        d.view.toggle_timestamps()
        assert d.rows[0] == "out"


async def test_colours_are_the_themes(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(b"\x1b[31mred\x1b[0m plain \x1b[37;47mhidden\x1b[0m\n")
        await d.shows("red plain hidden")

        def colour(text: str) -> str:
            segment = next(segment for segment in d.view.render_line(0) if text in segment.text)
            assert segment.style is not None
            assert segment.style.color is not None
            assert segment.style.color != segment.style.bgcolor
            return str(segment.style.color.get_truecolor().hex.lower())

        dark = colour("red")
        assert dark == d.app.theme_variables["text-error"].lower()
        colour("hidden")
        d.app.theme = "textual-light"
        await eventually(lambda: colour("red") != dark)
        colour("hidden")


async def test_copying(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(b"\x1b[31mone\x1b[0m\ntwo\nthree\n")
        await d.shows("three")
        d.view.copy()
        await d.says(f"Copied 3 lines; if the terminal refuses: lines 1 to 3 of {d.path}")
        assert d.app.clipboard == "one\ntwo\nthree"
        d.view.search("two")
        await d.says("line 2")
        d.view.copy_line()
        assert d.app.clipboard == "two"
        d.app.screen.selections = {d.view: Selection(Offset(1, 0), Offset(2, 2))}
        await d.pilot.pause()
        d.view.copy()
        assert d.app.clipboard == "ne\ntwo\nth"
        assert d.app.screen.get_selected_text() == "ne\ntwo\nth"


async def test_selecting_with_the_mouse(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(b"first line\n" + b"y" * 100 + b"\nlast\n")
        await d.shows("last")
        await d.pilot.mouse_down(OutputView, offset=(2 + 6, 0))
        await d.pilot.hover(OutputView, offset=(2 + 3, 3))
        await d.pilot.mouse_up(OutputView, offset=(2 + 3, 3))
        selected = d.app.screen.get_selected_text()
        assert selected is not None
        assert selected.startswith("line\n" + "y" * 100 + "\nlas")


async def test_too_much_for_the_clipboard_is_not_copied_in_part(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(numbered(output_copy.LIMIT // 5))
        d.app.copy_to_clipboard("as it was")
        d.view.copy()
        await d.says(f"Too much for the clipboard: lines 1 to 20,000 of {d.path}")
        assert d.app.clipboard == "as it was"
        d.app.screen.selections = {d.view: Selection(None, None)}
        assert d.app.screen.get_selected_text() == f"(too much to copy: lines 1 to 20,000 of {d.path})"


async def test_what_happens_to_the_file_is_said_and_stays_visible(desk: DeskMaker) -> None:
    async with desk(size=(120, 12)) as d:
        d.open(numbered(100))
        await d.shows("line 99")
        d.path.write_bytes(b"anew\n")
        await d.says("truncated")
        await d.shows("anew", "The output file was truncated")
        d.path.unlink()
        await d.says("removed")
        d.path.write_bytes(b"another\n")
        await d.shows("another", "replaced")


async def test_the_end_of_a_big_file_before_its_index(desk: DeskMaker) -> None:
    count = 300_000
    content = b"".join(b"line number %09d with more\n" % number for number in range(count))
    async with desk(size=(120, 12)) as d:
        d.path.write_bytes(content)
        output = SlowOutput(d.path)
        d.view.show(output)
        await d.shows(f"{count - 1:09}")
        assert not output.exact
        await d.shows("indexing", "earlier lines and line numbers follow")
        await d.pilot.press("pageup")
        shown = d.rows[0]
        d.view.search("no such thing")
        await d.says("in the last ")
        output.held = False
        await eventually(lambda: output.exact)
        await d.shows(f"line {count - 20:,} of {count:,} lines")
        assert d.rows[0] == shown
        output.close()


async def test_the_beginning_of_a_big_file_before_its_index(desk: DeskMaker) -> None:
    async with desk(size=(120, 12)) as d:
        d.path.write_bytes(b"the very first\n" + b"x\n" * (2 * WINDOW))
        output = SlowOutput(d.path)
        d.view.show(output)
        assert not output.exact
        await d.pilot.press("home")
        await d.shows("the very first", "line 1 of")
        d.view.filter("very")
        await d.shows("1 of ")
        output.held = False
        await d.shows(f"1 of {2 * WINDOW + 1:,} lines match /very/")
        d.view.filter(None)
        await d.pilot.press("end")
        assert d.view.following
        output.close()


class SlowOutput(FileOutput):
    """Indexes nothing after the first look while it is held, as a slow disk would."""

    held = True

    def grow(self, budget: float = 0.02) -> bool:
        return super().grow(0) if not self.held or not self.total else False


async def test_another_output_ends_what_belonged_to_the_first(desk: DeskMaker) -> None:
    async with desk() as d:
        d.open(numbered(100))
        await d.pilot.press("home")
        d.view.filter("line 5")
        d.view.search("55")
        await d.says("line 56")
        d.path.rename(d.path.with_name("old"))
        d.open(b"fresh\n")
        await d.shows("fresh")
        assert (d.view.following, d.view.filter_query, d.view.sought, d.view.current) == (True, None, None, None)
