"""A report as one HTML page: no script, no network, nothing from outside that is markup.

The page forbids itself everything by a policy of its own, and the template escapes every value: ``tests/report`` shows
in a real browser that a run with hostile titles and outputs executes and loads nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from migconsole.domain.deviations import GRAVE, Sort
from migconsole.domain.event_words import names, words
from migconsole.domain.quantities import format_offset, format_size
from migconsole.domain.stamps import plain_duration
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.report import Report
from migconsole.report.charts import chart_group, gantt
from migconsole.report.colours import pieces
from migconsole.report.words import clock_words, clocks_words, delivery_words, identity_words, signature_words, stamp

_TEMPLATES = Path(__file__).parent / "templates"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "line": lambda text: sanitise_line(str(text), 600),
        "text": lambda text: sanitise(str(text), 20_000),
        "stamp": stamp,
        "took": plain_duration,
        "offset": format_offset,
        "size": format_size,
        "pieces": pieces,
        "slug": lambda text: "".join(c if c.isascii() and c.isalnum() else "-" for c in str(text)),
    }
    return environment.get_template("report.html.j2")


def render(report: Report) -> str:
    """The whole page."""
    known = names(report.checklist)
    return _template().render(
        report=report,
        run=report.run,
        identity=identity_words(report.run.identity),
        grave={sort.value for sort in GRAVE},
        plain={Sort.SKIPPED.value, Sort.EXCLUDED.value, Sort.TAKEN.value},
        decisions=[(event, words(event, known)) for event in report.decisions],
        clock=clock_words(report),
        clocks=clocks_words(report),
        gantts=[gantt(phase) for phase in report.timeline],
        groups=[chart_group(window) for window in report.health],
        deliveries=[delivery_words(delivery) for delivery in report.deliveries],
        signature_words=signature_words,
    )
