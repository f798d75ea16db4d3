"""The program as it is installed, in a terminal and without one: help, refusals, exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from migconsole import __version__
from migconsole.cli import cli
from migconsole.demo.server import EmbeddedServer
from tests.e2e.pty import PROGRAM, Console

Open = Callable[..., Console]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program with pipes instead of a terminal."""
    words = ["env", *(f"{name}={value}" for name, value in environment.items()), str(PROGRAM), *arguments]
    return subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )


def test_help_in_a_terminal_lists_every_command_and_leaves_the_terminal_alone(open_console: Open) -> None:
    console = open_console("--help", rows=50, columns=100)
    assert console.wait() == 0
    console.assert_restored()
    shown = console.scrollback()
    for name in cli.commands:
        assert re.search(rf"^  {name}\s", shown, re.MULTILINE), f"{name} is not in the help"
    assert "Exit codes" in shown


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_has_help_of_its_own(command: str) -> None:
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 4


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, f"migconsole, version {__version__}", "")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "--headless"),
        (("demo",), "migconsole demo --headless"),
        (("run", "prisma"), "--headless"),
        (("resume",), "--headless"),
    ],
    ids=["bare", "demo", "run", "resume"],
)
def test_without_a_terminal_it_names_the_way_that_needs_none(arguments: tuple[str, ...], named: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "terminal" in done.stderr
    assert named in done.stderr
    assert "\x1b" not in done.stderr


def test_a_dumb_terminal_is_none(open_console: Open) -> None:
    console = open_console("demo", env={"TERM": "dumb"})
    assert console.wait() == 2
    assert "--headless" in console.scrollback()
    assert b"\x1b" not in console.raw


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("check", "prisma"), 0, None),
        (("check", "generic-sql"), 0, None),
        (("check", "no-such-checklist.yaml"), 2, "no-such-checklist"),
        (("no-such-command",), 2, "No such command"),
        (("check", "prisma", "--no-such-option"), 2, "No such option"),
        (("run", "prisma", "--headless", "--var", "novalue"), 2, "--var"),
        (("run", "prisma", "--confirm", "a@b:1"), 2, "--headless"),
        (("status",), 2, "run"),
        (("verify", "no-such-run"), 2, "no-such-run"),
        (("runs",), 0, None),
        (("schema",), 0, None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_exit_codes(arguments: tuple[str, ...], code: int, said: str | None) -> None:
    done = run(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if said is None:
        assert done.stderr == ""
    else:
        assert said in done.stderr


def test_check_finds_words_that_a_check_does_not_have_and_queries_of_tripwires(
    tmp_path: Path, server: EmbeddedServer
) -> None:
    text = """
checklist: T
phases: [{phase: P, at: T-0, sections: [{section: S, items: [
  {item: Disk, check: {name: disk_free, faktor: 3}, expect: {freee: "> 1GB"}}]}]}]
tripwires:
  - {tripwire: Orders vanish, sql: SELECT count(*) FROM no_such_orders, expect: {value: "> 0"}}
"""
    path = tmp_path / "mine.yaml"
    path.write_text(text, "utf-8")
    found = run("check", str(path))
    assert found.returncode == 2
    assert "the check disk_free has no argument “faktor” (did you mean “factor”?)" in found.stdout
    assert "the check disk_free has no value “freee” (did you mean “free”?)" in found.stdout
    path.write_text(text.replace("faktor", "factor").replace("freee", "free"), "utf-8")
    found = run("check", str(path), "--target", server.url())
    assert found.returncode == 1
    assert 'Orders vanish: The server refused the statement relation "no_such_orders" does not exist' in found.stdout


def test_a_bad_url_is_refused_without_a_piece_of_its_password() -> None:
    url = "postgresql://deploy:hunter2secret@db1:notaport/app"
    done = run("run", "generic-sql", "--headless", DATABASE_URL=url)
    assert done.returncode == 2
    assert "hunter2" not in done.stdout + done.stderr
    assert "port" in done.stderr


def test_an_unreachable_server_is_a_failure_with_a_remedy() -> None:
    done = run("run", "generic-sql", "--headless", DATABASE_URL="postgresql://deploy@127.0.0.1:1/app")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_machine_output_is_json_alone() -> None:
    for arguments in (("runs", "--format", "json"), ("check", "prisma", "--format", "json"), ("schema",)):
        done = run(*arguments)
        json.loads(done.stdout)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_pipe_that_closes_early_ends_it_quietly() -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{PROGRAM}' schema | head -c 1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "{"
    assert done.stderr == ""


def test_the_runs_screen_opens_and_every_way_out_restores_the_terminal(open_console: Open) -> None:
    for way in ("q", signal.SIGTERM, signal.SIGHUP):
        console = open_console(rows=24, columns=80)
        console.wait_for("prisma", timeout=30)
        assert console.raw.count(b"\x1b[?1049h") == 1
        if isinstance(way, str):
            console.press(way)
        else:
            console.kill(way)
        code = console.wait()
        console.assert_restored()
        assert code == (0 if isinstance(way, str) else 128 + way)


def test_help_can_be_left(open_console: Open) -> None:
    console = open_console(rows=24, columns=80)
    console.wait_for("prisma", timeout=30)
    console.press("?")
    console.wait_for("Next colour theme")
    console.press("escape")
    console.wait_gone("Next colour theme")
    console.press("q")
    assert console.wait() == 0
    console.assert_restored()


def test_colours_are_the_256_that_were_asked_for_and_none_with_no_color(open_console: Open) -> None:
    for env in ({}, {"NO_COLOR": "1"}):
        console = open_console(rows=24, columns=80, env=env)
        console.wait_for("prisma", timeout=30)
        shown = {console.raw.find(sequence) >= 0 for sequence in (b"38;5;", b"48;5;")}
        greys = all(
            colour == "default" or colour in ("black", "white") or len({colour[:2], colour[2:4], colour[4:]}) == 1
            for row in range(24)
            for cell in console.row(row)
            for colour in (cell.foreground, cell.background)
        )
        assert b"38;2;" not in console.raw, "true colour, which this terminal does not have"
        assert greys if env else shown == {True}


def test_a_terminal_that_changes_its_size_is_filled_again(open_console: Open) -> None:
    console = open_console(rows=24, columns=80)
    console.wait_for("prisma", timeout=30)
    console.resize(40, 120)
    console.wait_until(lambda: "leave" in console.screen()[-1], message="the footer is in the last of 40 rows")
    console.resize(24, 80)
    console.wait_until(lambda: "leave" in console.screen()[-1], message="the footer is in the last of 24 rows")
    assert all(len(line) <= 80 for line in console.screen())


def test_a_terminal_that_goes_away_ends_the_console(open_console: Open) -> None:
    console = open_console(rows=24, columns=80)
    console.wait_for("prisma", timeout=30)
    console.hang_up()
    assert console.wait() in (128 + signal.SIGHUP, -signal.SIGHUP)
