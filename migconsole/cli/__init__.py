"""The command line. Nothing here imports a screen, a driver or a parser before the command that needs it runs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence

import click

from migconsole import __version__, crash
from migconsole.cli import (
    importing,
    inspect,
    migrations,
    options,
    record,
    restore_points,
    rollback,
    runs,
    salvage,
    watch,
)
from migconsole.domain.secrets import Secrets
from migconsole.domain.variables import is_secret_name
from migconsole.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, MigconsoleError

HELP = """Run a PostgreSQL production migration from its checklist.

Without a command: the unfinished runs, else the checklists at hand.

\b
  migconsole demo                       the whole thing, on an embedded PostgreSQL
  migconsole run prisma                 a shipped checklist by name, or a file of yours
  migconsole resume                     the newest run, as it was left
  migconsole check my-checklist.yaml    every problem of a file at once

Exit codes: 0 nothing required is left · 1 failed · 2 usage or broken file · 3 stopped at a person, a confirmation or a
changed target · 4 outcome unknown · 130 interrupted.
"""


@click.group(invoke_without_command=True, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="migconsole")
@options.state_directory
@click.option("--low-bandwidth", is_flag=True, help="Draw less often, for slow links.")
@click.pass_context
def cli(context: click.Context, low_bandwidth: bool) -> None:
    """Without a command: show the runs screen."""
    if low_bandwidth:
        os.environ.setdefault("TEXTUAL_FPS", "15")
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
        os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    if context.invoked_subcommand is None:
        sys.exit(runs.home(context.obj))


for _command in (
    runs.demo,
    runs.run,
    runs.resume,
    inspect.runs,
    inspect.status,
    inspect.check,
    inspect.schema,
    inspect.doctor,
    inspect.verify,
    watch.watch,
    migrations.review,
    migrations.lint,
    migrations.http,
    salvage.salvage,
    importing.import_,
    record.report,
    restore_points.backup,
    record.sign,
    record.notify,
    rollback.rollback,
    rollback.put_back,
    rollback.purge,
    restore_points.prove,
    restore_points.drill,
):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of its outcome; errors are told on stderr, never as a traceback."""
    try:
        code = cli.main(args=arguments, prog_name="migconsole", standalone_mode=False)
    except MigconsoleError as error:
        click.echo(f"migconsole: {error}", err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("migconsole: interrupted", err=True)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        code = EXIT_INTERRUPTED
    except Exception as error:
        log = crash.record(error, None, _redaction())
        click.echo(f"migconsole: internal error: {type(error).__name__}; please report it with {log}", err=True)
        code = EXIT_FAILED
    finally:
        _let_go_of_dead_streams()
    sys.exit(code if isinstance(code, int) else 0)


def _let_go_of_dead_streams() -> None:
    """Keep the exit code when the terminal is gone: the interpreter's last flush would fail and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _redaction() -> Callable[[str], str]:
    """Masks what the environment holds of secrets, for a failure that happened before or after any run was open."""
    names = [name for name in os.environ if is_secret_name(name) or name in ("DATABASE_URL", "DIRECT_URL")]
    return Secrets([os.environ[name] for name in names]).redact
