"""``migconsole import``: a Markdown checklist becomes a YAML one."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("import")
@click.argument("markdown", metavar="FILE.md", type=click.Path(path_type=Path))
@click.option(
    "--output", metavar="FILE.yaml", type=click.Path(path_type=Path), help="A new file; default: standard output."
)
def import_(markdown: Path, output: Path | None) -> None:
    """Turn a Markdown checklist into YAML: headings, task boxes, code, alternatives, roll-back list, sign-off table.

    Nothing is lost, and what could not be decided is printed with its line and marked in the file.
    """
    from migconsole.domain.text import sanitise  # noqa: PLC0415 - start-up time of the commands that need none of it
    from migconsole.wiring import importing  # noqa: PLC0415 - start-up time of the commands that need none of it

    result = importing.read(markdown)
    if output is None:
        click.echo(result.text, nl=False)
    else:
        importing.write(result, output)
    for line in result.lines():
        click.echo(sanitise(line), err=True)
    if output is not None:
        click.echo(f"Next: migconsole check {output} --target URL, which prepares every query there", err=True)
