"""A throw-away PostgreSQL server from an installed tree, for the demo and the tests.

It works as root and as an ordinary user, listens on a free loopback port, and disappears with the process that
started it, even when that is killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from migconsole.demo.guard import Guard, await_end, end, postmaster
from migconsole.demo.privilege import choose, environment
from migconsole.demo.trees import Tree, find_clients, find_tree
from migconsole.errors import MigconsoleError

SUPERUSER = "postgres"
_TRIES = 5
_IN_USE = "Address already in use"
_LIMIT = 60.0


class EmbeddedServer:
    """One server with its own data directory below a short temporary folder.

    ``settings`` go to the configuration, above our own. ``password`` is the superuser's and makes every connection
    need one (scram-sha-256); without it everyone on this machine gets in, which is for tests alone. ``hba`` replaces
    pg_hba.conf. ``primary`` makes this a streaming standby of a running server. ``guard`` is told to stop the server
    and remove its files should this process die; without one the server has its own.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        tree: Tree | None = None,
        settings: Mapping[str, str | int] | None = None,
        password: str = "",
        hba: str = "",
        primary: EmbeddedServer | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.tree: Tree = tree or (primary.tree if primary else find_tree())
        self.clients = find_clients(self.tree)
        self.settings = dict(settings or {})
        self.password: str = password or (primary.password if primary else "")
        self.port = 0
        self._hba = hba
        self._primary = primary
        self.guard = guard
        self._owns_guard = False
        self._base: Path | None = None

    # -- what it is -------------------------------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """The version the tree's server reports, such as "18.6"."""
        return self.tree.version

    @property
    def bindir(self) -> Path:
        """The folder of the client programs that go with this server."""
        return self.clients.bindir

    @property
    def base(self) -> Path:
        """The folder that holds the data directory, the start log and the socket."""
        if self._base is None:
            raise MigconsoleError("The server has not been started")
        return self._base

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.base / "d"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.data / "log" / "pg.log"

    @property
    def pid(self) -> int | None:
        """The running server's process id, or None."""
        return postmaster(self.data) if self._base else None

    @property
    def running(self) -> bool:
        """Whether the server's process is there."""
        return self.pid is not None

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """A libpq URL. The superuser's password is filled in; other users' must be given when they need one."""
        if password is None:
            password = self.password if user == SUPERUSER else ""
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{quote(user, safe='')}{secret}@{self.host}:{self.port}/{quote(database, safe='')}"

    def environment(self) -> dict[str, str]:
        """The environment for this server's client programs: PATH and what their libraries need, no PG variable."""
        return environment(self.clients, self.base)

    def tool(self, name: str) -> str:
        """The path of a client program, such as "pg_dump"."""
        return str(self.bindir / name)

    def psql(self, sql: str, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """Run SQL through psql and return its bare output, rows only. Raises MigconsoleError on an error."""
        command = [self.tool("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url(database, user, "")]
        secret = password if password is not None else (self.password if user == SUPERUSER else "")
        variables = self.environment() | ({"PGPASSWORD": secret} if secret else {})
        done = subprocess.run(
            command, input=sql, capture_output=True, text=True, env=variables, timeout=_LIMIT, check=False
        )
        if done.returncode:
            raise MigconsoleError("psql failed", done.stderr.strip())
        return done.stdout.strip()

    # -- its life ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the server; the first time also make its data directory. It accepts connections when this returns."""
        if self._base is not None:
            if not self.running:
                self._forget_dead()
                self._launch()
            return
        self._base = Path(tempfile.mkdtemp(prefix="mc", dir=_short_root()))
        self._base.chmod(0o711)  # others must reach the socket, and the server its own folder
        try:
            self._privilege, self.tree = choose(self.tree, self._base)
            self._privilege.hand_over(self._base)
            if self.guard is None:
                self.guard, self._owns_guard = Guard(), True
            self.guard.server(self.data)
            self.guard.folder(self._base)
            self._initialise()
            self._launch_on_free_port()
        except BaseException:
            self.close()
            raise

    def stop(self, mode: str = "fast") -> None:
        """Stop the server and keep its data; ``mode`` is "smart", "fast" or "immediate"."""
        pid = self.pid
        if pid is None:
            return
        first = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
        if not end(pid, first, signal.SIGQUIT, signal.SIGKILL, patience=_LIMIT / 2):
            raise MigconsoleError("The server does not stop", f"process {pid}")

    def kill(self) -> None:
        """Kill the server's main process as a crash would; its children end by themselves."""
        pid = self.pid
        if pid is None:
            return
        children = _children(pid)
        end(pid, signal.SIGKILL)
        for child in children:
            await_end(child, _LIMIT / 2)

    def restart(self, mode: str = "fast") -> None:
        """Stop and start again, on the same port."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop the server and remove everything."""
        if self._base is None:
            return
        self.stop("immediate")
        shutil.rmtree(self._base, ignore_errors=True)
        if self.guard is not None and self._owns_guard:
            self.guard.dismiss()
            self.guard, self._owns_guard = None, False
        self._base = None

    # -- how --------------------------------------------------------------------------------------------------------

    def adopt(self, base: Path) -> None:
        """Take charge of the server that another process has left below ``base``, running or not, without a guard."""
        text = (base / "d" / "migconsole.conf").read_text(encoding="utf-8")
        self._base = base
        self._privilege, self.tree = choose(self.tree, base)
        self.port = int(text.split("port = '", 1)[1].split("'", 1)[0])

    def _initialise(self) -> None:
        if self._primary is not None:
            command = [
                "-h",
                self.host,
                "-p",
                self._primary.port,
                "-U",
                SUPERUSER,
                "-D",
                self.data,
                "-R",
                "-X",
                "stream",
            ]
            self._run("pg_basebackup", *command, "-c", "fast", PGPASSWORD=self.password)
            return
        options: list[str | Path] = ["-D", self.data, "-U", SUPERUSER, "-E", "UTF8", "--locale=C", "--no-sync"]
        if self.tree.major >= 16:
            options += ["--set", "dynamic_shared_memory_type=mmap"]  # a small /dev/shm would end initdb
        if self.password:
            secret = self.base / "password"
            secret.touch(0o600)
            secret.write_text(self.password + "\n", encoding="utf-8")
            self._privilege.hand_over(secret)
            try:
                self._run("initdb", *options, "-A", "scram-sha-256", f"--pwfile={secret}")
            finally:
                secret.unlink()
        else:
            self._run("initdb", *options, "-A", "trust")
        if self._hba:
            (self.data / "pg_hba.conf").write_text(self._hba, encoding="utf-8")
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
            stream.write("\ninclude = 'migconsole.conf'\n")

    def _configure(self) -> None:
        values: dict[str, str | int] = {
            "port": self.port,
            "listen_addresses": self.host,
            "fsync": "off",
            "logging_collector": "on",
            "log_directory": "log",
            "log_filename": "pg.log",
            **self.settings,
            "unix_socket_directories": str(self.base),
            "dynamic_shared_memory_type": "mmap",
        }
        text = "".join("{} = '{}'\n".format(key, str(value).replace("'", "''")) for key, value in values.items())
        path = self.data / "migconsole.conf"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        self._privilege.hand_over(path)

    def _launch_on_free_port(self) -> None:
        for attempt in range(_TRIES):
            self.port = free_port()
            self._configure()
            self.log.unlink(missing_ok=True)
            (self.base / "start.log").unlink(missing_ok=True)
            try:
                self._launch()
            except MigconsoleError as error:
                if _IN_USE not in error.detail or attempt == _TRIES - 1:
                    raise
            else:
                return

    def _launch(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "30", "-l", self.base / "start.log", "start")

    def _forget_dead(self) -> None:
        """Remove the lock files of a killed server.

        Its process may stay unreaped for seconds, or for ever where nothing adopts it, and the files would then forbid
        a start. The caller has seen that it is dead.
        """
        for path in (self.data / "postmaster.pid", *self.base.glob(".s.PGSQL.*")):
            path.unlink(missing_ok=True)

    def _run(self, name: str, *arguments: object, **variables: str) -> None:
        """Run a program of the tree. Its output goes to a file: a server started by it would keep a pipe open."""
        tree = self.tree if (self.tree.bindir / name).exists() else self.clients
        command = [*self._privilege.prefix, str(tree.bindir / name), *map(str, arguments)]
        with tempfile.TemporaryFile() as output:
            try:
                code = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment(tree, self.base) | variables,
                    cwd=self.base,
                    timeout=_LIMIT,
                    check=False,
                    **self._privilege.arguments,
                ).returncode
            except (OSError, subprocess.SubprocessError) as error:
                raise MigconsoleError(f"{name} of PostgreSQL {self.version} cannot be run", str(error)) from error
            output.seek(0)
            said = output.read().decode(errors="replace")
        if code:
            logs = "\n".join(_tail(path) for path in (self.base / "start.log", self.log))
            raise MigconsoleError(f"{name} of PostgreSQL {self.version} failed", f"{said[-2000:]}\n{logs}".strip())


def free_port() -> int:
    """A loopback port nobody listens on just now; somebody may take it before it is used, so callers retry."""
    with socket.socket() as probe:
        probe.bind((EmbeddedServer.host, 0))
        return int(probe.getsockname()[1])


def _short_root() -> str:
    """The shortest temporary folder: a socket's whole path must stay below 108 bytes."""
    roots: Sequence[str] = [root for root in (tempfile.gettempdir(), "/tmp") if os.access(root, os.W_OK | os.X_OK)]  # noqa: S108
    return min(roots or [tempfile.gettempdir()], key=len)


def _tail(path: Path, size: int = 2000) -> str:
    try:
        return path.read_bytes()[-size:].decode(errors="replace")
    except OSError:
        return ""


def _children(pid: int) -> list[int]:
    import psutil  # noqa: PLC0415 - only a killed server needs it

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []
