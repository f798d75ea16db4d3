"""Hostile text from everywhere it can come from, in a real terminal: nothing of it reaches the terminal as it is."""

from __future__ import annotations

from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from tests.e2e.checklists import PATIENCE, Desk, accept
from tests.e2e.pty import Console

# Each would change the terminal: clipboard, title, DCS, C1 CSI and OSC, mouse, modes, colours by Rich markup, bidi.
CLIPBOARD = "\x1b]52;c;b3duZWQ=\x07"
TITLE = "\x1b]0;owned-title\x07"
CORPUS = (
    CLIPBOARD,
    TITLE,
    "\x1b]2;owned-title\x1b\\",
    "\x1bP+q6f776e6564\x1b\\",
    "\x9b31mc1-colour\x9d0;owned-title\x9c",
    "\x1b[?1049l\x1b[?1000h\x1b[2J\x1b[H",
    "\x1b[6n\x1b[c",
    "\x1b[31",
    "[/foo][red]markup[/][link=x]",
    "\u202egnp.exe\u2066",
    "\x00\x07\x08\x0e\x7f",
)
FORBIDDEN = (
    b"owned-title\x07",
    b"owned-title\x1b",
    b"\x1b]52;c;b3duZWQ",
    b"\x1b]0;owned",
    b"\x1b]2;owned",
    b"\x1bP+q",
    b"\x1b[6n",
    b"\x1b[?1049l\x1b[?1000h",
    b"\xc2\x9b",
    b"\xc2\x9d",
    "\u202e".encode(),
    "\u2066".encode(),
    b"\x1b[2J\x1b[H",
    b"\x0e",
    b"\x00",
)


def assert_untouched(console: Console) -> None:
    """The terminal is still ours: nothing of the corpus came through."""
    assert console.alive
    raw = console.raw
    for sequence in FORBIDDEN:
        assert sequence not in raw, sequence
    assert not [title for title in console.titles if "owned" in title]


def test_command_output_queries_errors_and_notes(desk: Desk) -> None:
    payload = desk.project / "payload"
    payload.write_bytes("\n".join(CORPUS).encode() + b"\n\xff\xfe\xc3\x28 invalid\n\x1b]52;c;unterminated")
    sql = "SELECT E'\\x1b]0;owned-title\\x07 [/foo] \\u202e seen' AS \"[red]\\x1b]52;c;b3duZWQ=\\x07\""
    desk.write(
        {
            "item": "Print",
            "id": "print",
            "run": "cat payload; printf '\\nthe %s\\n' end",
            "expect": {"output": "the end"},
        },
        {"item": "Ask", "id": "ask", "sql": sql},
        {"item": "Fail", "id": "fail", "sql": "SELECT (E'\\x1b]0;owned-title\\x07[/foo]')::int"},
        {"item": "Long", "id": "long", "run": "head -c 10000000 /dev/zero | tr '\\0' x; printf '\\nthe %s\\n' rest"},
    )
    console = desk.run()
    for item in ("print", "ask", "fail", "long"):
        console.press("r")
        console.wait_until(lambda i=item: desk.record(i).attempts or "y runs it" in console.text, PATIENCE)  # type: ignore[misc]
        if not desk.record(item).attempts:
            accept(console, "y", lambda i=item: desk.record(i).attempts)  # type: ignore[misc]
        attempt = desk.ended(item, 30)
        console.press("e")
        console.wait_for("Evidence · ")
        assert_untouched(console)
        console.press("escape")
        console.wait_gone("Evidence · ")
        if item == "fail":
            assert attempt.outcome == "failed"
            assert "[/foo]" in str(attempt.reasons), attempt
        console.press("j")
    console.wait_for("the rest")
    console.press("+")
    console.wait_for("enter accepts")
    console.paste("[/foo] pasted \x1b]0;owned-title")
    accept(console, "enter", lambda: desk.events(Kind.NOTE))
    console.press("t")
    console.wait_for("Timeline ·")
    console.wait_for("pasted")
    assert_untouched(console)
    assert len(desk.output("long", 1)) > 10_000_000
    assert desk.record("print").state is ItemState.VERIFIED
    console.press("escape")
    console.wait_gone("Timeline")
    console.press("q")
    console.wait_for("Leave?")
    accept(console, "l", lambda: not console.alive)
    console.assert_restored()
    desk.assert_whole()


def test_titles_and_names_in_the_file(desk: Desk) -> None:
    """What YAML can carry in a title is drawn as text; what the loader refuses is refused without being printed."""
    hostile = "Title [/foo] [red]x[/] \u202egnp " + CLIPBOARD + TITLE
    desk.write({"item": hostile, "id": "one", "run": "true", "danger": "mutating"}, checklist=hostile)
    checked = desk.call("check", str(desk.path))
    for text in (checked.stdout, checked.stderr):
        assert not any(sequence in text.encode() for sequence in FORBIDDEN)
    console = desk.open("run", str(desk.path))
    if checked.returncode:
        assert console.wait() == 2
        assert_untouched_end(console)
        return
    console.wait_for("Title [/foo]", PATIENCE)
    console.press("r")
    console.wait_for("y runs it")
    assert_untouched(console)


def assert_untouched_end(console: Console) -> None:
    """The same once the console has ended."""
    assert not any(sequence in console.raw for sequence in FORBIDDEN)
    console.assert_restored()
