"""Hostile text: nothing a terminal would obey survives, and nothing is hidden without a mark."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migconsole.domain.text import (
    LIMIT,
    PLAIN,
    Look,
    clean_line,
    plain_text,
    sanitise,
    sanitise_line,
)

COMMANDS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")

HOSTILE = {
    "clipboard": ("\x1b]52;c;cm0gLXJmIH4=\x07ok", "ok"),
    "title by BEL": ("\x1b]0;owned\x07ok", "ok"),
    "title by ST": ("\x1b]2;owned\x1b\\ok", "ok"),
    "title by C1": ("\x9d2;owned\x9cok", "ok"),
    "hyperlink": ("\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\", "text"),
    "DCS": ("\x1bP+q544e\x1b\\ok", "ok"),
    "DCS never ended": ("a\x1bP+q544e", "a␛"),
    "tmux passthrough": ("\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\ok", "␛␛ok"),
    "APC": ("\x1b_Gf=100;AAAA\x1b\\ok", "ok"),
    "PM": ("\x1b^secret\x1b\\ok", "ok"),
    "SOS": ("\x1bXnoise\x1b\\ok", "ok"),
    "C1 APC": ("\x9fnoise\x9cok", "ok"),
    "CSI": ("\x1b[2J\x1b[1;1Hok\x1b[?1049h", "ok"),
    "C1 CSI": ("\x9b2Jok", "ok"),
    "CSI without end": ("ok\x1b[31", "ok␛"),
    "CSI cut by another": ("\x1b[3\x1b[31mok", "␛ok"),
    "OSC without end": ("ok\x1b]0;owned", "ok␛"),
    "OSC without end keeps the next line": ("a\x1b]0;own\nerror: b", "a␛\nerror: b"),
    "lone escape": ("ok\x1b", "ok␛"),
    "reset": ("\x1bcok", "ok"),
    "charset": ("\x1b(0ok", "ok"),
    "mode keys": ("\x1b=\x1b>ok", "ok"),
    "NUL": ("a\x00b", "a␀b"),
    "bell": ("a\x07b", "a␇b"),
    "backspace": ("rm\b\bls", "rm␈␈ls"),
    "carriage return": ("danger\rsafe", "danger␍safe"),
    "delete": ("a\x7fb", "a␡b"),
    "next line": ("a\x85b", "a\ufffdb"),
    "bidi override": ("user\u202etxt.exe", "user‹U+202E›txt.exe"),
    "bidi isolate": ("a\u2066b\u2069", "a‹U+2066›b‹U+2069›"),
    "zero width space": ("us\u200bers", "us‹U+200B›ers"),
    "byte order mark": ("\ufeffSELECT", "‹U+FEFF›SELECT"),
    "tag characters": ("a\U000e0041", "a‹U+E0041›"),
    "line separator": ("a\u2028b", "a‹U+2028›b"),
    "joiner": ("a\u200db\ufe0f", "ab"),
    "lone surrogate": ("a\udc80b", "a\ufffdb"),
    "invalid UTF-8": (b"a\xff\xfeb", "a\ufffd\ufffdb"),
    "raw C1 byte": (b"\x9b31mok", "\ufffd31mok"),
    "markup is only text": ("near '[/foo]' [red", "near '[/foo]' [red"),
    "pile of marks": ("a" + "\u0301" * 50, "a" + "\u0301" * 4),
    "tab": ("a\tb", "a       b"),
    "windows newline": ("a\r\nb", "a\nb"),
    "wide": ("日本 é", "日本 é"),
}


@pytest.mark.parametrize(("hostile", "safe"), HOSTILE.values(), ids=HOSTILE.keys())
def test_sanitise_leaves_nothing_to_obey(hostile: str | bytes, safe: str) -> None:
    assert sanitise(hostile) == safe


@given(st.text(alphabet=st.characters() | st.sampled_from("\x1b\x9b\x9d\x90[]P;0m\x07\\\n\r\b\t\u202e"), max_size=80))
@settings(max_examples=400, deadline=None)
def test_no_text_whatever_commands_a_terminal(text: str) -> None:
    drawn = sanitise(text)
    assert not COMMANDS.search(drawn)
    drawn.encode()
    assert sanitise(drawn) == drawn
    line = plain_text(clean_line(text.replace("\n", " ").encode("utf-8", "surrogatepass")))
    assert not COMMANDS.search(line)
    assert "\n" not in line


def test_a_cut_is_stated() -> None:
    assert sanitise("x" * (LIMIT + 1_234)) == "x" * LIMIT + "… (cut, 1,234 characters more)"
    assert sanitise("x" * LIMIT) == "x" * LIMIT
    assert sanitise("\t\t", limit=4) == "    … (cut, 12 characters more)"


def test_a_cut_inside_a_sequence_does_not_let_it_out() -> None:
    assert sanitise("abc\x1b]0;owned\x07", limit=6) == "abc␛… (cut, 7 characters more)"


def test_one_line() -> None:
    assert sanitise_line("ERROR:  no\n\tsuch\x1b[31m table\r\n") == "ERROR: no such table"


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[" * 500_000,
        "\x1b]" * 500_000,
        "\x1b[" + "1;" * 500_000,
        "\x9d" * 500_000,
        "a\u0301" * 500_000,
        "\x1b" * 999_999,
    ],
    ids=["CSI", "OSC", "endless CSI", "C1", "marks", "escapes"],
)
def test_a_megabyte_of_malice_takes_linear_time(hostile: str) -> None:
    """Quadratic patterns would need minutes here; the bound leaves room for a busy machine."""
    started = time.perf_counter()
    sanitise(hostile, limit=1_000_000)
    assert time.perf_counter() - started < 8


RED = Look(fg=1)


@pytest.mark.parametrize(
    ("raw", "spans"),
    [
        (b"", ()),
        (b"ALTER TABLE\r\n", (("ALTER TABLE", PLAIN),)),
        (b"\x1b[31mERROR\x1b[0m: x", (("ERROR", RED), (": x", PLAIN))),
        (b"\x1b[31mER\x1b[31mROR\x1b[m", (("ERROR", RED),)),
        (b"\x1b[1;4;93;44mx", (("x", Look(fg=11, bg=4, bold=True, underline=True)),)),
        (b"\x1b[1m\x1b[2mx\x1b[22my", (("x", Look(bold=True, dim=True)), ("y", PLAIN))),
        (b"\x1b[38;5;208mx", (("x", Look(fg=208)),)),
        (b"\x1b[38;2;1;2;3;3mx", (("x", Look(fg=(1, 2, 3), italic=True)),)),
        (b"\x1b[48:2::9:8:7mx", (("x", Look(bg=(9, 8, 7))),)),
        (b"\x1b[4:3mx\x1b[39;49mx", (("xx", Look(underline=True)),)),
        (b"\x1b[5;8mshown", (("shown", PLAIN),)),
        (b"\x1b[38;5;999mx", (("x", PLAIN),)),
        (b"\x1b[38mx", (("x", PLAIN),)),
        (b"\x1b[99999999999999mx", (("x", PLAIN),)),
        (b"a\tb", (("a       b", PLAIN),)),
        ("日\tb".encode(), (("日      b", PLAIN),)),
        (b"\x1b[31mab\t\x1b[0mc", (("ab      ", RED), ("c", PLAIN))),
    ],
)
def test_colours_are_kept_and_nothing_else(raw: bytes, spans: tuple[tuple[str, Look], ...]) -> None:
    assert clean_line(raw) == spans


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"10 %\r55 %\r100 %", "100 %"),
        (b"downloading\rdone", "doneloading"),
        (b"downloading\r\x1b[Kdone", "done"),
        (b"downloading\x1b[2K\rdone", "done"),
        (b"downloading\x1b[1Gdone", "doneloading"),
        (b"a\x1b[5Cb", "a     b"),
        (b"abc\x1b[2Dx", "axc"),
        (b"abc\x1b[99999999999Dx", "xbc"),
        (b"20 %\r", "20 %"),
        (b"|\b/\b-\b\\\bdone", "done"),
        (b"\b\b\bx", "x"),
        ("日本\rx".encode(), "x 本"),
        ("日本\r\x1b[1Cx".encode(), " x本"),
        ("ab\rd́".encode(), "d́b"),
        (b"a\tb\rx", "x       b"),
        (b"x" * 50 + b"\r" + b"y" * 9_000 + b"\rlast\x1b[K", "last"),
        (b"\r".join(b"%d %%" % n for n in range(20_000)), "19999 %"),
    ],
)
def test_what_goes_back_overwrites(raw: bytes, shown: str) -> None:
    assert plain_text(clean_line(raw)) == shown


def test_overwriting_keeps_the_look_of_what_stays() -> None:
    assert clean_line(b"\x1b[31mabcd\x1b[0m\rxy") == (("xy", PLAIN), ("cd", RED))


def test_motion_cannot_ask_for_memory() -> None:
    assert len(plain_text(clean_line(b"\x1b[99999G" * 1_000 + b"x"))) <= 4_097


@pytest.mark.parametrize(("hostile", "safe"), HOSTILE.values(), ids=HOSTILE.keys())
def test_output_lines_meet_the_same_corpus(hostile: str | bytes, safe: str) -> None:
    raw = hostile if isinstance(hostile, bytes) else hostile.encode("utf-8", "surrogatepass")
    drawn = plain_text(clean_line(raw.replace(b"\n", b" ")))
    assert not COMMANDS.search(drawn)
    if not re.search("[\r\n\b\udc80]", hostile if isinstance(hostile, str) else ""):
        assert drawn == safe
