"""Hooks of the checklist, the watcher, and client programs, on behalf of a rollback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from migconsole.adapters import watchers
from migconsole.adapters.backup.clients import Clients
from migconsole.adapters.rollback import scripts, verifying
from migconsole.adapters.runs import sync_directory
from migconsole.domain.rollback_plan import Plan, PlanStep
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.rollback_verified import Verification
from migconsole.domain.target import Target
from migconsole.domain.text import sanitise_line
from migconsole.engine.rollback_ports import Lines
from migconsole.errors import MigconsoleError, UnknownOutcomeError

HOOK_LIMIT = 30.0
"""Seconds for a hook. PgBouncer's PAUSE waits for transactions to end; who waits longer is an outage longer."""

APP_NAME = "migconsole/rollback"
"""What sessions of hooks and programs are called on the server."""

PSQL_LOST = 2
"""psql's exit code for a connection that ended, and for one that was never made."""

KEPT_LINES = 200


class HereSurroundings:
    """``engine.rollback_ports.Surroundings`` on this host.

    ``directory`` is the run's, None outside a run. ``environment`` is what hooks inherit: what in it aims at another
    server is left out, and the target's own, its password too, is put in. ``redact`` masks what children say.
    ``clients`` are the programs that fit the server.
    """

    def __init__(
        self,
        target: Target,
        *,
        directory: Path | None = None,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        redact: Callable[[str], str] = str,
        clients: Callable[[], Clients] | None = None,
    ) -> None:
        self._target = target
        self._directory = directory
        self._cwd = cwd
        self._environment = target.whole_environment(os.environ if environment is None else environment, APP_NAME)
        self._redact = redact
        self._clients = clients

    async def hook(self, command: str, lines: Lines) -> None:
        """See the port; ended by force after ``HOOK_LIMIT`` seconds."""
        shell = ["bash", "--noprofile", "--norc", "-o", "pipefail", "-c", command]
        code, said = await self._run(shell, self._environment, lines, HOOK_LIMIT)
        if code != 0:
            what = "did not end in time" if code is None else f"ended with exit {code}"
            raise MigconsoleError(f"The hook {what}", f"{self._redact(command)}: {' · '.join(said[-3:])}")

    async def watcher(self, *, away: bool) -> str:
        """See the port."""
        directory = self._directory
        if directory is None:
            return ""
        if not away:
            watchers.stand_up(directory)
            return ""
        try:
            left = await asyncio.to_thread(watchers.stand_down, directory, "a rollback renames the database")
        except OSError as error:
            raise MigconsoleError("The watcher cannot be asked to leave", f"{directory}: {error.strerror}") from error
        return "" if left else "the watcher does not answer; its sessions are ended with all others"

    async def program(self, step: PlanStep, lines: Lines) -> None:
        """See the port."""
        if self._clients is None:
            raise MigconsoleError("No client programs are at hand", step.title)
        clients = self._clients()
        name, *arguments = step.argv
        environment = clients.environment(os.environ) | self._target.child_environment() | self._password()
        options = " ".join(filter(None, (environment.get("PGOPTIONS", ""), "-c lock_timeout=5s")))
        environment |= {"PGOPTIONS": options, "PGAPPNAME": APP_NAME}
        script = name == "psql"
        before = await scripts.schema_seen(self._target, self._redact) if script else None
        code, said = await self._run([clients.path(name), *arguments], environment, lines, None)
        if script and (code is None or code < 0 or code == PSQL_LOST):
            raise UnknownOutcomeError(
                "psql lost its connection or was ended: the script may or may not have been committed",
                remedy=scripts.REMEDY,
            )
        if code != 0:
            failure = MigconsoleError(f"{name} ended with exit {code}", " · ".join(said[-5:]))
            if script:
                raise await scripts.judged(failure, Path(arguments[-1]), before, self._target, self._redact)
            raise failure
        if name == "pg_dump":
            await self._keep(Path(arguments[-1]), clients, environment, lines)

    async def _keep(self, partial: Path, clients: Clients, environment: Mapping[str, str], lines: Lines) -> None:
        """A dump counts once every byte of it was read back, and has its name only then."""
        read = [clients.path("pg_restore"), "-f", os.devnull, str(partial)]
        code, said = await self._run(read, environment, lines, None)
        if code != 0:
            raise MigconsoleError("The dump of the failed data cannot be read back", " · ".join(said[-5:]))
        final = partial.with_suffix("")
        try:
            await asyncio.to_thread(partial.replace, final)
            await asyncio.to_thread(sync_directory, final.parent)
        except OSError as error:
            raise MigconsoleError("The dump of the failed data cannot be kept", f"{final}: {error.strerror}") from error
        lines((f"kept as {final}",))

    async def restore(self, step: PlanStep, survey: Survey, lines: Lines) -> None:
        """See the port."""
        raise MigconsoleError("This restore cannot be carried out here", step.title)

    async def verify(self, plan: Plan, survey: Survey) -> Verification:
        """See the port."""
        return await verifying.verified(plan, survey, self._target, self._directory, self._redact)

    def _password(self) -> dict[str, str]:
        return {name: secret.reveal() for name, secret in self._target.child_secrets().items()}

    async def _run(
        self, argv: Sequence[str], environment: Mapping[str, str], lines: Lines, limit: float | None
    ) -> tuple[int | None, list[str]]:
        """Run a program to its end, telling each line as it comes; exit code (None: not in time) and last lines."""
        said: list[str] = []
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(environment),
            cwd=self._cwd,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(limit):
                while raw := await process.stdout.readline():
                    line = sanitise_line(self._redact(raw.decode("utf-8", "replace").rstrip("\n")))
                    said.append(line)
                    del said[:-KEPT_LINES]
                    lines((line,))
                return await process.wait(), said
        except TimeoutError:
            return None, said
        except ValueError:
            return None, [*said, "a line was too long to be read"]
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
