"""The demo: a server, a database, a project and an application, made in a few seconds and gone afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from migconsole.demo import database, project
from migconsole.demo.guard import Guard, alive, end, remove
from migconsole.demo.project import STATE, Scenario
from migconsole.demo.server import EmbeddedServer
from migconsole.demo.trees import read_tree
from migconsole.errors import MigconsoleError, UsageError

PACK = "prisma"
_RECORD = "demo.json"
_LIMIT = 60.0


class Demo:
    """Everything the demo needs, as a context manager.

    Entering prepares it all and reports progress line by line. Leaving removes it all, and so does the death of this
    process, whatever its cause. With ``keep`` it stays, running, until ``python -m migconsole.demo remove HOME``.
    Raises UsageError when there are no PostgreSQL programs.
    """

    def __init__(
        self,
        scenario: Scenario | str = Scenario.SMOOTH,
        *,
        keep: bool = False,
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.scenario = Scenario(scenario)
        self.keep = keep
        self._progress = progress
        self._guard: Guard | None = None
        self._home: Path | None = None
        self._server: EmbeddedServer | None = None
        self._owner_password = secrets.token_hex(12)
        self._application_password = secrets.token_hex(12)

    # -- what a run needs -------------------------------------------------------------------------------------------

    @property
    def home(self) -> Path:
        """The folder that holds everything but the server's own files; nobody else may enter it."""
        if self._home is None:
            raise MigconsoleError("The demo has not been started")
        return self._home

    @property
    def server(self) -> EmbeddedServer:
        """The server."""
        if self._server is None:
            raise MigconsoleError("The demo has not been started")
        return self._server

    @property
    def project(self) -> Path:
        """The project folder: what the checklist's commands have as their working directory."""
        return self.home / "project"

    @property
    def state_dir(self) -> Path:
        """Where the demo's runs are kept, apart from the operator's own."""
        return self.home / "state"

    @property
    def backup_dir(self) -> Path:
        """Where the demo's backups go."""
        return self.home / "backups"

    @property
    def url(self) -> str:
        """The project's DATABASE_URL, in Prisma's form, with its password."""
        return self.server.url(database.DATABASE, database.OWNER, self._owner_password) + "?schema=public"

    @property
    def application_url(self) -> str:
        """The URL the application uses: a role that may only read and write rows."""
        return self.server.url(database.DATABASE, database.APPLICATION, self._application_password)

    @property
    def path_addition(self) -> str:
        """The folder with client programs that fit the server, to be put before PATH."""
        return str(self.home / "bin")

    @property
    def environment(self) -> dict[str, str]:
        """What the console's environment needs: DATABASE_URL, and PATH with the client programs first."""
        path = os.environ.get("PATH", os.defpath)
        return {"DATABASE_URL": self.url, "PATH": os.pathsep.join((self.path_addition, path))}

    @property
    def variables(self) -> dict[str, str]:
        """Values for the prisma pack's variables: the project's own scripts, which need neither Node nor npx."""
        scripts = {
            "stop_app": "stop-app",
            "start_app": "start-app",
            "app_logs": "app-logs",
            "maintenance_on": "maintenance-on",
            "maintenance_off": "maintenance-off",
            "clear_caches": "clear-caches",
            "notify": "notify",
            "status_page": "status-page",
            "smoke_test": "smoke-test",
            "dev_migrate": "apply-to-development",
            "staging_migrate": "apply-to-staging",
            "test_suite": "run-tests",
        }
        return {
            "backup_dir": str(self.backup_dir),
            "populate": "./prisma/migrations/populate-initial-data.sh",
            **{name: f"./ops/{script}.sh" for name, script in scripts.items()},
        }

    @property
    def come_back(self) -> str:
        """What to tell the operator about a demo that was kept; empty otherwise."""
        if not self.keep:
            return ""
        home = shlex.quote(str(self.home))
        python = shlex.quote(sys.executable)
        command = f"{python} -m migconsole.demo"
        return (
            f"The demo is still there, in {self.home}\n"
            f"  come back   cd {shlex.quote(str(self.project))} && PATH={shlex.quote(self.path_addition)}:$PATH "
            f"{python} -m migconsole --state-dir {shlex.quote(str(self.state_dir))} resume\n"
            f"  stop        {command} stop {home}\n"
            f"  start       {command} start {home}\n"
            f"  remove      {command} remove {home}"
        )

    # -- its life ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self._prepare()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.keep:
            self.remove()

    def stop(self) -> None:
        """Stop the application and the server, and leave the files."""
        self._end_application()
        self.server.stop()

    def start(self) -> None:
        """Start server and application again, after ``stop`` or a restart of the machine."""
        self.server.start()
        self.start_application()

    def remove(self) -> None:
        """Stop everything and remove every file."""
        if self._home is not None:
            self._end_application()
        if self._server is not None:
            self._server.close()
        if self._home is not None:
            remove(self._home)
        if self._guard is not None:
            self._guard.dismiss()
        self._guard = self._home = self._server = None

    def start_application(self) -> None:
        """Start the workload and wait until its process is there. Raises MigconsoleError when it does not come up."""
        pidfile = self.project / STATE / "pid"
        if self._application() is not None:
            return
        pidfile.unlink(missing_ok=True)
        subprocess.run([str(self.project / STATE / "launch")], cwd=self.project, timeout=_LIMIT, check=True)
        deadline = time.monotonic() + _LIMIT / 2
        while (pid := self._application()) is None:
            if time.monotonic() > deadline:
                raise MigconsoleError("The demo's application does not start")
            time.sleep(0.02)
        if self._guard is not None:
            self._guard.process(pid)

    def _prepare(self) -> None:
        began = time.monotonic()
        server = EmbeddedServer(settings=database.SETTINGS, password=secrets.token_hex(12))
        self._progress(f"Starting PostgreSQL {server.version}")
        self._home = Path(tempfile.mkdtemp(prefix="migconsole-demo-"))
        self._guard = server.guard = Guard()
        self._guard.folder(self._home)
        self._server = server
        server.start()
        for folder in (self.state_dir, self.backup_dir):
            folder.mkdir(mode=0o700)
        project.create_bin(self.home / "bin", server.clients)
        database.create(server, self._owner_password, self._application_password)
        self._progress(f"Creating database {database.DATABASE} and its project")
        project.create(self.project, self.url)
        self.run_script("prisma/migrations/apply-all-migrations.sh")
        self._progress("Filling it")
        database.fill(server, duplicates=self.scenario is Scenario.FAILURE)
        database.backdate_migrations(server)
        pending = project.add_pending(self.project, self.scenario)
        self._progress(f"{database.rows(server):,} rows; {pending} migrations wait in {self.project}")
        project.create_launcher(self.project, self.application_url, None if self.keep else os.getpid())
        self.start_application()
        if self.keep:
            self._record()
            self._guard.dismiss()
            self._guard = server.guard = None
        self._progress(f"Ready after {time.monotonic() - began:.1f} s")

    def run_script(self, name: str, *arguments: str) -> str:
        """Run one of the project's scripts as the operator would, and return its output; raises MigconsoleError."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | self.environment
        done = subprocess.run(
            [str(self.project / name), *arguments],
            cwd=self.project,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        if done.returncode:
            raise MigconsoleError(f"{name} failed with exit {done.returncode}", done.stdout.strip())
        return done.stdout

    def _application(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.project / STATE / "pid").read_text(encoding="utf-8"))
            return pid if alive(pid) else None
        return None

    def _end_application(self) -> None:
        if (pid := self._application()) is not None:
            end(pid, signal.SIGTERM, signal.SIGKILL, patience=5)
        (self.project / STATE / "pid").unlink(missing_ok=True)

    def _record(self) -> None:
        """Write down what ``reopen`` needs to know."""
        known = {
            "scenario": self.scenario.value,
            "bindir": str(self.server.tree.bindir),
            "base": str(self.server.base),
            "server_password": self.server.password,
            "owner_password": self._owner_password,
            "application_password": self._application_password,
        }
        project.write_private(self.home / _RECORD, json.dumps(known, indent=2) + "\n")

    @classmethod
    def reopen(cls, home: Path) -> Demo:
        """A demo that was kept, by its folder. Raises UsageError when there is none in it."""
        try:
            known: dict[str, Any] = json.loads((home / _RECORD).read_text(encoding="utf-8"))
            tree = read_tree(Path(known["bindir"]))
            demo = cls(known["scenario"], keep=True)
            demo._owner_password = known["owner_password"]
            demo._application_password = known["application_password"]
            server = EmbeddedServer(tree=tree, password=known["server_password"])
            server.adopt(Path(known["base"]))
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"There is no demo in {home}", str(error)) from error
        demo._home, demo._server = home.resolve(), server
        return demo
