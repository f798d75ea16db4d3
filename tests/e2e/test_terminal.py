"""The emulator that other end-to-end tests believe."""

from __future__ import annotations

import pytest

from tests.e2e.terminal import Terminal


def test_it_draws_in_256_colours_and_knows_where_text_is() -> None:
    terminal = Terminal(3, 20)
    terminal.feed("日本 \x1b[1;4;38;5;196;48;5;21mred\x1b[0m \x1b[31;42;7mflip\x1b[0m".encode())
    assert terminal.lines() == ["日本 red flip", "", ""]
    row = terminal.row(0)
    assert [cell.text for cell in row[:4]] == ["日", "", "本", ""]
    assert (row[9].foreground, row[9].background) == ("green", "red")
    assert (row[5].foreground, row[5].background, row[5].bold, row[5].underlined) == ("ff0000", "0000ff", True, True)


def test_the_alternate_screen_hides_the_primary_one_until_it_is_left() -> None:
    terminal = Terminal(3, 20)
    terminal.feed(b"before\r\n\x1b[?1049hinside")
    assert terminal.alternate
    assert terminal.lines()[0] == "inside"
    terminal.feed(b"\x1b[?1049lafter")
    assert terminal.lines()[:2] == ["before", "after"]
    terminal.feed(b"\x1b[?1049h")
    assert terminal.lines() == ["", "", ""]


def test_rows_that_scrolled_away_are_remembered() -> None:
    terminal = Terminal(2, 20)
    terminal.feed(b"one\r\ntwo\r\nthree\r\nfour")
    assert terminal.lines() == ["three", "four"]
    assert terminal.history() == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("left", "put_back", "complaint"),
    [
        ("\x1b[?1049h", "\x1b[?1049l", "alternate"),
        ("\x1b[?1000h\x1b[?1003h\x1b[?1006h", "\x1b[?1000;1003;1006l", "mouse"),
        ("\x1b[?2004h", "\x1b[?2004l", "paste"),
        ("\x1b[?1004h", "\x1b[?1004l", "focus"),
        ("\x1b[?2026h", "\x1b[?2026l", "frame"),
        ("\x1b[?25l", "\x1b[?25h", "cursor"),
        ("\x1b[>1u", "\x1b[<u", "keyboard"),
        ("\x1b]0;mine\x07", "", "title"),
        ("\x1b]2;mine\x1b\\", "", "title"),
    ],
)
def test_what_is_left_behind_is_named(left: str, put_back: str, complaint: str) -> None:
    terminal = Terminal(3, 20)
    assert terminal.unrestored() == []
    terminal.feed(left.encode())
    (problem,) = terminal.unrestored()
    assert complaint in problem
    if put_back:
        terminal.feed(put_back.encode())
        assert terminal.unrestored() == []


def test_what_pyte_does_not_know_is_not_printed() -> None:
    terminal = Terminal(3, 40)
    sequences = ("\x1b[>4;2m", "\x1b[<u", "\x1b[?2048$p", "\x1b[4:3m", "\x1b]52;c;aGk=\x07", "\x1bPq#0\x1b\\", "\x1b=")
    for unknown in (*sequences, "\x1b[2 q", "\x1b[!p", "\x1b_Gi=1\x1b\\", "\x1b[3S"):
        terminal.feed(unknown.encode() + b".")
    assert terminal.lines()[0] == "." * 11


def test_sequences_and_characters_may_arrive_in_pieces() -> None:
    terminal = Terminal(2, 20)
    for byte in "\x1b[?1049h\x1b]0;name\x1b\\\x1b[38;5;46mgrün√\x1b[0m".encode():
        terminal.feed(bytes([byte]))
    assert terminal.lines()[0] == "grün√"
    assert terminal.row(0)[4].foreground == "00ff00"
    assert terminal.titles == ["name"]


def test_a_frame_is_seen_whole_or_not_at_all() -> None:
    terminal = Terminal(2, 20)
    assert terminal.feed(b"\x1b[?2026$p") == b"\x1b[?2026;2$y"
    terminal.feed(b"old\x1b[?2026h\rnew")
    assert terminal.lines()[0] == "old"
    terminal.feed(b"er\x1b[?2026l")
    assert terminal.lines()[0] == "newer"
