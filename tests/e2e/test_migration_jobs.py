"""Review, lint and http: as commands, and as jobs of a run whose files change afterwards."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from migconsole.adapters.journal.reading import read_events
from migconsole.adapters.migrators.scripts import sums
from migconsole.domain.items import ItemState
from migconsole.domain.run import Run, fold
from migconsole.engine.outdated import outdated
from tests import tools
from tests.conftest import Database
from tests.e2e.pty import PROGRAM

pytestmark = pytest.mark.e2e


def run(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    words = ["env", *(f"{name}={value}" for name, value in environment.items()), str(PROGRAM), *map(str, arguments)]
    return subprocess.run(
        words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )


def outcome(*arguments: object, cwd: Path, code: int, **environment: str) -> dict[str, object]:
    done = run(*arguments, "--format", "json", cwd=cwd, **environment)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def add(project: Path, name: str, text: str) -> Path:
    path = project / "prisma" / "migrations" / name / "migration.sql"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_a_review_shows_every_pending_file_and_never_passes_by_itself(database: Database, tmp_path: Path) -> None:
    add(tmp_path, "1_a", "CREATE TABLE a (id int);\x1b]0;owned\x07\n")
    add(tmp_path, "2_b", "CREATE TABLE b (id int);\n")
    done = run("review", "--target", database.url, cwd=tmp_path)
    assert done.returncode == 3
    assert "CREATE TABLE a" in done.stdout
    assert "CREATE TABLE b" in done.stdout
    assert "\x1b" not in done.stdout
    found = outcome("review", "--target", database.url, cwd=tmp_path, code=3)
    assert found["verdict"] == "asks"
    assert found["values"] == {"files": 2, "pending": 2, "unreadable": 0, "tool": "prisma"}
    (fact,) = found["facts"]  # type: ignore[misc]
    assert [entry["path"] for entry in fact["data"]["files"]] == [
        "prisma/migrations/1_a/migration.sql",
        "prisma/migrations/2_b/migration.sql",
    ]


def test_a_file_that_cannot_be_read_cannot_be_reviewed(database: Database, tmp_path: Path) -> None:
    add(tmp_path, "1_a", "")
    (tmp_path / "prisma/migrations/1_a/migration.sql").write_bytes(b"\xff\xfe")
    found = outcome("review", "--target", database.url, cwd=tmp_path, code=1)
    assert found["verdict"] == "failed"
    assert "not UTF-8" in str(found["reasons"])


def test_no_server_is_no_review(tmp_path: Path) -> None:
    add(tmp_path, "1_a", "")
    done = run("review", "--target", "postgresql://x@127.0.0.1:1/x", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_lint_with_the_built_in_rules(database: Database, tmp_path: Path) -> None:
    add(tmp_path, "1_a", "CREATE TABLE a (id int);\n")
    found = outcome("lint", "--built-in", "--target", database.url, cwd=tmp_path, code=0)
    assert found["verdict"] == "passed"
    assert "built-in rules" in str(found["lines"])
    add(tmp_path, "2_b", "\nDROP TABLE old;\n")
    found = outcome("lint", "--built-in", "--target", database.url, cwd=tmp_path, code=3)
    assert found["verdict"] == "asks"
    assert "2_b/migration.sql:2: error: drop-table" in str(found["lines"])


@pytest.mark.tools
def test_lint_with_squawk(database: Database, tmp_path: Path) -> None:
    squawk = tools.program("squawk")
    path = f"{squawk.parent}:/usr/bin:/bin"
    add(tmp_path, "1_a", "CREATE INDEX CONCURRENTLY i ON a (b);\n")
    add(tmp_path, "2_b", "\nALTER TABLE a DROP COLUMN b;\nCREATE INDEX CONCURRENTLY j ON a (c);\n")
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["ban-drop-column"]\n')
    found = outcome("lint", "--target", database.url, cwd=tmp_path, code=3, PATH=path)
    text = str(found["lines"])
    assert "squawk" in str(found["values"])
    assert "2_b/migration.sql:2: error: ban-drop-column" in text, "a file in the folder switches nothing off"
    assert "2_b/migration.sql:3: error: ban-concurrent-index-creation-in-transaction" in text
    assert "1_a/migration.sql:1: error" not in text, "alone in its file it may be concurrent"


def test_python_migrations_are_not_called_clean(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "alembic" / "versions" / "a.py"
    path.parent.mkdir(parents=True)
    path.write_text("revision = 'a'\ndown_revision = None\n")
    found = outcome("lint", "--built-in", "--target", database.url, cwd=tmp_path, code=3)
    assert "no SQL" in str(found["reasons"])


# -- in a run ----------------------------------------------------------------------------------------------------------


CHECKLIST = """
checklist: Reviewing
phases:
  - phase: Before
    at: T-1d
    sections:
      - section: Planning
        items:
          - {item: Review, id: review, review: {tool: prisma}}
          - {item: Lint, id: lint, lint: {built_in: true}}
          - {item: Still the same, id: same, check: reviewed_files}
"""


async def test_a_reviewed_file_that_changes_turns_the_item_regressed(database: Database, tmp_path: Path) -> None:
    add(tmp_path, "1_a", "CREATE TABLE a (id int);\n")
    second = add(tmp_path, "2_b", "CREATE TABLE b (id int);\n")
    (tmp_path / "c.yaml").write_text(CHECKLIST)
    state = tmp_path / "state"
    words = ("run", "c.yaml", "--headless", "--as", "ann", "--state-dir", state, "--target", database.url)
    stopped = run(*words, cwd=tmp_path)
    assert stopped.returncode == 3, "without --attest-all a review waits for a person"
    done = run(*words, "--attest-all", "read in the meeting", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    journal = max((state / "runs").glob("*/run.db") if (state / "runs").is_dir() else state.glob("*/run.db"))
    folded = fold(read_events(journal), Run())
    assert folded.record("review").state is ItemState.ATTESTED, "a person's word, never a machine's"
    assert folded.record("lint").state is ItemState.VERIFIED
    assert folded.record("same").state is ItemState.VERIFIED
    assert len(folded.reviews.reviews["review"].files) == 2

    def now(paths: list[str]) -> dict[str, str | None]:
        return sums(paths, tmp_path)

    assert await outdated(folded, sums=now) == []  # type: ignore[arg-type]
    second.write_text("CREATE TABLE b (id bigint);\n")
    (draft,) = await outdated(folded, sums=now)  # type: ignore[arg-type]
    assert draft.data["reasons"] == ["prisma/migrations/2_b/migration.sql changed since it was reviewed"]


# -- http --------------------------------------------------------------------------------------------------------------


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        elsewhere = {"/away": "http://127.0.0.2:1/secret", "/here": "/ok"}.get(self.path)
        status = 302 if elsewhere else 500 if self.path == "/broken" else 200
        body = ("x" * 9000 + "needle\n" if self.path == "/long" else '{"status": "up"}\n').encode()
        self.send_response(status)
        if elsewhere:
            self.send_header("Location", elsewhere)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def pages() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("path", "options", "code", "words"),
    [
        ("/ok", ["--expect-status", "200", "--expect-body", '"status": "up"'], 0, "status 200"),
        ("/ok", ["--expect-status", "204", "--expect-status", "201"], 1, "expected 204 or 201"),
        ("/ok", ["--expect-body", "down"], 1, "is not in its first"),
        ("/ok", ["--expect-not-body", "up"], 1, "must not be in it"),
        ("/ok", [], 3, "nothing was expected"),
        ("/broken", [], 1, "status 500"),
        ("/broken", ["--expect-body", "up"], 1, "status 500"),
        ("/here", ["--expect-status", "200"], 0, "status 200"),
        ("/away", ["--expect-status", "200"], 1, "not followed"),
        ("/long", ["--expect-body", "needle"], 0, "status 200"),
        ("/long", ["--expect-not-body", "needle"], 1, "must not be in it"),
    ],
)
def test_http(tmp_path: Path, path: str, options: list[str], code: int, words: str) -> None:
    with pages() as address:
        done = run("http", *options, f"{address}{path}", cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stdout


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://x/y", "nonsense", "http://", "http://a b/", "http://x:y/"]
)
def test_only_web_addresses_are_asked(tmp_path: Path, address: str) -> None:
    assert run("http", "--expect-status", "200", "--", address, cwd=tmp_path).returncode == 2


def test_nobody_answers(tmp_path: Path) -> None:
    done = run("http", "--expect-status", "200", "http://127.0.0.1:1/?token=verysecret99", cwd=tmp_path)
    assert done.returncode == 1
    assert "no answer" in done.stdout
    assert "verysecret99" not in done.stdout + done.stderr


def test_the_doctor_from_a_shell(database: Database, tmp_path: Path) -> None:
    add(tmp_path, "1_a", "SELECT 1;\n")
    database.psql("CREATE TABLE t (id int); ALTER TABLE t ADD CHECK (id > 0) NOT VALID")
    done = run("doctor", "--target", database.url, "--migrations", "prisma/migrations", cwd=tmp_path)
    assert done.returncode == 1
    assert "VALIDATE CONSTRAINT t_id_check" in done.stdout
    assert "problem" in done.stdout
