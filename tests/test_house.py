"""The house rules that no single module's tests would notice being broken: imports, files, documents, versions."""

from __future__ import annotations

import ast
import os
import pkgutil
import re
import resource
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import click
import pytest

import migconsole
from migconsole.adapters.checklists import models
from migconsole.cli import cli
from migconsole.domain.commands import COMMANDS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "migconsole"
README = (ROOT / "README.md").read_text(encoding="utf-8")

TRY_IT = "python3 -m venv .venv && .venv/bin/pip install -e '.[demo]' && .venv/bin/migconsole demo"
WORK_ON_IT = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest"

SCREEN = {"textual", "rich"}

IMPURE = {
    *(
        "asyncio",
        "concurrent",
        "contextvars",
        "getpass",
        "glob",
        "http",
        "importlib",
        "io",
        "logging",
        "multiprocessing",
    ),
    *(
        "os",
        "pathlib",
        "platform",
        "pwd",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
    ),
    *("subprocess", "sys", "tempfile", "threading", "time", "uuid"),
}
"""Parts of the standard library that look at, or change, something outside of the values they are given."""

LONG = {
    "migconsole/adapters/postgres/probes/catalogue.py": "a table: one declaration for each of the probes",
    "migconsole/adapters/postgres/probes/activity.py": "a shape for each probe, all from one picture of sessions",
    "migconsole/domain/limits.py": "a table: the limits of each probe with their sources",
    "migconsole/domain/run.py": "the fold: one handler for each event, worth reading from top to bottom",
    "migconsole/engine/ports.py": "signatures only: all that the engine asks of the world, in one place",
    "migconsole/tui/commands.py": "the registry: one row for each thing that can be asked for, and its rule",
    "migconsole/engine/session.py": "the facade: one short method for each thing a screen can ask",
}
"""Modules of more than 400 lines, and why each is better whole."""


# -- files ------------------------------------------------------------------------------------------------------------


@cache
def tracked() -> tuple[str, ...]:
    """What is, or is about to be, part of the project; without a repository everything that is no by-product."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed.stdout.split("\0") if listed.returncode == 0 else []
    if not names:
        ignored = re.compile(r"(^|/)(\.(?!ci|gitignore)[^/]*|__pycache__|build|dist|[^/]*\.egg-info)(/|$)")
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
        names = [name for name in names if not ignored.search(name)]
    return tuple(sorted(name for name in names if name and (ROOT / name).is_file()))


def sources() -> list[str]:
    return [name for name in tracked() if name.startswith("migconsole/") and name.endswith(".py")]


@cache
def text_of(name: str) -> str:
    data = (ROOT / name).read_bytes()
    return "" if b"\0" in data else data.decode("utf-8")


@cache
def parsed(name: str) -> ast.Module:
    return ast.parse(text_of(name))


def test_there_is_something_to_look_at() -> None:
    assert len(sources()) > 50
    assert "tests/test_house.py" in tracked()


def test_every_module_says_what_it_is() -> None:
    silent = [name for name in sources() if len((ast.get_docstring(parsed(name)) or "").split()) < 3]
    assert silent == []


def test_long_modules_have_a_reason() -> None:
    long = {name for name in sources() if len(text_of(name).splitlines()) > 400}
    assert sorted(long - set(LONG)) == [], "split these, or give the reason in LONG"
    assert sorted(set(LONG) - long) == [], "no longer long: take these out of LONG"
    assert all(len(reason) > 20 for reason in LONG.values())


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    home = r"/(?:root|home/(?!deploy\b|you\b|user\b)\w+|Users/\w+|work|tmp/bash\w*)/"
    registries = "|".join(("npm" + "js", "python" + "hosted", "py" + r"pi\.org", "artifact" + "ory"))
    forbidden = re.compile(rf"(?<![\w.}}])(?:{home})|(?:{registries})")
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in tracked()
        for number, line in enumerate(text_of(name).splitlines(), 1)
        if forbidden.search(line) and not line.startswith('    home = r"/')
    ]
    assert found == []


def test_every_query_file_is_used() -> None:
    code = "\n".join(text_of(name) for name in sources())
    words = set(re.findall(r"""["']([a-z_0-9]+)["']""", code))
    queries = [name for name in tracked() if name.endswith(".sql") and "/migrations/" not in name]
    assert len(queries) > 20
    unused = [
        name
        for name in queries
        if re.sub(r"(_\d{6})?\.sql$", "", Path(name).name) not in words and Path(name).name not in code
    ]
    assert unused == [], "no module names these queries"


def test_tests_are_packages_so_that_names_cannot_clash() -> None:
    folders = {Path(name).parent for name in tracked() if re.fullmatch(r"tests/.*test_\w+\.py", name)}
    assert [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()] == []


# -- imports ----------------------------------------------------------------------------------------------------------


def loaded(code: str) -> set[str]:
    """The modules that are loaded after this code ran in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stdout.split())


def loaded_by_command(*arguments: str) -> set[str]:
    """The modules that the program loads for a command that succeeds."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "migconsole", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def headless_modules() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages([str(PACKAGE)], "migconsole.")]
    return [name for name in names if not name.startswith("migconsole.tui") and not name.endswith("__main__")]


def test_nothing_headless_loads_the_screen_library() -> None:
    names = headless_modules()
    assert {"migconsole.cli", "migconsole.wiring.surfaces", "migconsole.jobs.runner"} <= set(names)
    assert SCREEN & loaded("\n".join(f"import {name}" for name in names)) == set()


def test_the_screens_do_load_it_so_the_test_above_can_fail() -> None:
    assert loaded("import migconsole.tui.app") >= SCREEN


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("migconsole.cli", {"asyncpg", "pydantic", "yaml", "sqlite3", "psutil", "platformdirs", "humanize", "sh"}),
        ("migconsole.jobs.runner", {"asyncpg", "pydantic", "yaml", "click", "platformdirs", "humanize", "sqlite3"}),
        ("migconsole.engine.session", {"asyncpg", "pydantic", "yaml", "click", "platformdirs", "sqlite3", "sh"}),
    ],
)
def test_what_starts_often_starts_light(module: str, unwanted: set[str]) -> None:
    assert unwanted & loaded(f"import {module}") == set()


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (("--version",), {"asyncpg", "pydantic", "yaml", "sqlite3", "psutil"}),
        (("--help",), {"asyncpg", "pydantic", "yaml", "sqlite3", "psutil"}),
        # The names of the checks’ arguments and values stand beside the checks, which ask by asyncpg.
        (("check", "prisma"), {"sh"}),
        (("schema",), {"asyncpg", "sqlite3", "psutil", "sh"}),
        (("runs",), {"asyncpg", "sh"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_loads_only_what_it_needs(arguments: tuple[str, ...], unwanted: set[str]) -> None:
    names = loaded_by_command(*arguments)
    assert "migconsole.cli" in names
    assert (unwanted | SCREEN) & names == set()


def test_the_version_is_told_in_under_half_a_second_of_work() -> None:
    # Processor time, the best of three: the machine may be busy with other tests.
    def work() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "migconsole", "--version"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(work() for _ in range(3)) < 0.5


def test_the_domain_is_pure() -> None:
    for name in sources():
        if not name.startswith("migconsole/domain/"):
            continue
        for node in ast.walk(parsed(name)):
            if isinstance(node, ast.Import):
                imported = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported = {node.module or ""}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("open", "print"):
                raise AssertionError(f"{name}:{node.lineno}: {node.func.id}() in the domain")
            else:
                continue
            for module in imported:
                top = module.split(".")[0]
                allowed = module.startswith("migconsole.domain") or top in sys.stdlib_module_names - IMPURE
                assert allowed, f"{name}:{node.lineno}: the domain imports {module}"


def test_the_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed; it comes with the dev extra")
    done = subprocess.run(
        [str(program), "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", done.stdout)


# -- documents --------------------------------------------------------------------------------------------------------


def test_the_version_is_one() -> None:
    assert version("migconsole") == migconsole.__version__, "install it again: pip install -e '.[dev]'"
    changes = re.findall(r"^## \[([^\]]+)\]", text_of("CHANGELOG.md"), re.MULTILINE)
    assert migconsole.__version__ in changes


@pytest.mark.parametrize("command", [TRY_IT, WORK_ON_IT])
def test_the_readme_gives_the_two_set_up_commands(command: str) -> None:
    assert command in README.splitlines(), "on a line of its own, ready to be copied"


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_the_readme_documents_every_command(name: str) -> None:
    assert re.search(rf"^\| `migconsole {name}\b", README, re.MULTILINE), f"no row for migconsole {name}"


def test_the_readme_documents_no_command_that_is_not_there() -> None:
    rows = re.findall(r"^\| `migconsole ([a-z][a-z-]*)", README, re.MULTILINE)
    assert sorted(set(rows) - set(cli.commands)) == []


def options_of(command: click.Command) -> set[str]:
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    found = {name for parameter in shown for name in parameter.opts if name.startswith("--")}
    return found - {"--help", "--version"}


def test_every_option_is_documented_with_help() -> None:
    documents = "\n".join(text_of(name) for name in tracked() if re.fullmatch(r"README\.md|docs/.*\.md", name))
    commands: dict[str, click.Command] = {"": cli, **cli.commands}
    for command, entry in commands.items():
        for parameter in entry.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"migconsole {command}: {parameter.name} has no help"
        for option in sorted(options_of(entry)):
            assert re.search(rf"{option}\b", documents), f"migconsole {command}: {option} is in no document"


def test_documents_name_only_options_that_there_are() -> None:
    known = {option for entry in (cli, *cli.commands.values()) for option in options_of(entry)} | {
        "--help",
        "--version",
    }
    rows = [line for line in README.splitlines() if line.startswith("| `migconsole")]
    named = {option for row in rows for option in re.findall(r"--[a-z][a-z0-9-]+", row)}
    assert sorted(named - known) == []


@pytest.mark.parametrize("document", [name for name in tracked() if name.endswith(".md")])
def test_links_between_documents_lead_somewhere(document: str) -> None:
    text = re.sub(r"```.*?```", "", text_of(document), flags=re.DOTALL)
    for link in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", text):
        assert (ROOT / document).parent.joinpath(link).exists(), f"{document} links to {link}"


def test_the_code_map_names_only_what_is_there() -> None:
    text = text_of("CONTRIBUTING.md")
    named = set(re.findall(r"`((?:migconsole|tests|checklists|themes|docs|\.ci)/[\w./-]*)`", text))
    assert len(named) > 20
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_the_code_map_names_every_package() -> None:
    text = text_of("CONTRIBUTING.md")
    folders = {str(Path(name).parent) for name in sources() if name.endswith("__init__.py")}
    assert sorted(folder for folder in folders if f"`{folder}/`" not in text) == []


def test_the_ci_script_can_be_started() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script), str(ROOT / ".ci" / "lib.sh")], check=True)


def test_a_built_in_job_is_available_exactly_when_the_command_line_has_its_command() -> None:
    has = {job for job in models.JOBS if COMMANDS[job] in cli.commands}
    assert set(models.JOBS_NOW) == has, "move the job's name between JOBS_NOW and JOBS_LATER in models.py"


def test_every_fault_names_tests_that_there_are() -> None:
    """A page that promises behaviour is worth what its tests are."""
    lines = [line for line in (ROOT / "docs/faults.md").read_text().splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(line.split("|")[1]) for line in lines] == list(range(1, 29))
    for line in lines:
        named = re.findall(r"`(\w+/\w+\.py)::(\w+)`", line)
        assert named, line
        for path, name in named:
            assert f"def {name}(" in (ROOT / "tests" / path).read_text(), f"{path}::{name}"
