"""What each page of the rollback wizard says: pure, from the survey, the options and the plan to styled text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from migconsole.domain.checklist import Item
from migconsole.domain.quantities import format_size
from migconsole.domain.rollback_means import Means
from migconsole.domain.rollback_plan import Option, Plan, PlanStep, Strategy
from migconsole.domain.rollback_survey import Candidate, Survey
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.tui import format
from migconsole.tui.lines import cut, hang

Texts = list[tuple[str, str]]

PAGES = ("What is there", "What is lost", "Which way", "The plan")
"""The pages in order; why and who are asked before them, the typed name after them."""

LABEL = 12
"""Cells of the names on the left."""

MOST = 12
"""Entries of a list on the first page; the rest is counted, and stands in full in `migconsole rollback --plan`."""


def steps_line(page: int, width: int) -> Content:
    """Where one is: every page by name, narrow ones by number."""
    texts: Texts = [(" Roll back ", "bold reverse $danger"), ("  ", "")]
    wide = width >= 96
    for number, name in enumerate(("Why", *PAGES, "Confirm")):
        now = number == page + 1
        mark = "✔" if number < page + 1 else str(number + 1)
        words = f"{mark} {name}" if wide or now else mark
        style = "bold $accent" if now else "$muted"
        texts += [(words, style), ("  ─  " if wide else "  ", "$line")]
    return Content.assemble(*cut(texts[:-1], width))


# What is there -------------------------------------------------------------------------------------------------------


def survey_page(survey: Survey, reason: str, by: str, clock: str, width: int) -> Content:
    """The state of the databases, who is in them, what there is to go back to, and what stands in the way."""
    blocks = [
        _labelled("why", f"{sanitise_line(reason, 400)}  (decided by {sanitise_line(by, 60)})", "bold", width),
        _situation(survey, width),
        _server(survey, width),
        _databases(survey, width),
        _points(survey.points, width),
        _hindrances(survey, width),
        _list("ran", survey.ran, "", width, empty="nothing that changes anything has been run"),
    ]
    if clock:
        blocks.insert(2, _labelled("clock", clock, "", width))
    return Content("\n").join([Content.assemble(*block) for block in blocks if block])


def _situation(survey: Survey, width: int) -> Texts:
    situation = survey.situation
    style = "bold $danger" if situation.stop else "bold"
    texts = [
        *_labelled("state", f"{situation.state.value}: {sanitise_line(situation.means, 400)}", style, width),
        *_more(_list("next", situation.next, "", width)),
    ]
    texts += _more(_list("repair", situation.repairs, "$danger", width))
    if survey.changed:
        texts += _more(_list("changed", survey.changed, "bold $danger", width))
    return texts


def _server(survey: Survey, width: int) -> Texts:
    server = survey.server
    rights = [word for word, has in (("superuser", server.superuser), ("owner", server.owns)) if has]
    rights += ["CREATEDB"] if server.createdb and not server.superuser else []
    role = "STANDBY" if server.in_recovery else "primary"
    words = (
        f"{sanitise_line(survey.target)}  {role}, as {sanitise_line(server.user)} ({', '.join(rights) or 'no rights'})"
    )
    style = "bold $danger" if server.in_recovery else ""
    texts = _labelled("server", words, style, width)
    if survey.holder is not None:
        texts += _more(_labelled("lock", f"{sanitise_line(str(survey.holder))} is at it", "bold $danger", width))
    return texts


def _databases(survey: Survey, width: int) -> Texts:
    rows = []
    for name in (survey.names.app, survey.names.side, survey.names.failed):
        row = survey.rows.get(name)
        if row is None:
            continue
        door = "open" if row.open else "closed"
        mark = f", {row.marker.step.value}" if row.marker is not None else ""
        size = f", {format_size(row.size)}" if row.size is not None else ""
        rows.append(f"{name}: {door}{mark}{size}, {_count(row.sessions, 'session')}")
    texts = _list("databases", rows, "", width)
    groups = [
        f"{group.count} of {group.application or 'unnamed'} as {group.role}"
        + (f", oldest {format.duration(group.oldest)}" if group.oldest is not None else "")
        + (", which this role may not end" if group.beyond else "")
        for group in survey.sessions
    ]
    return [*texts, *_more(_list("sessions", groups, "", width, empty="nobody is in the database"))]


def _points(points: Sequence[Candidate], width: int) -> Texts:
    rows = []
    for point in points:
        age = f", {format.duration(point.age)} old" if point.age is not None else ", of unknown age"
        wal = f", {format_size(point.wal)} of WAL since" if point.wal is not None else ""
        lsn = f" at {point.lsn}" if point.lsn else ""
        rows.append(f"{point.proof.upper()}  {point.form.value} {point.place}{age}{lsn}{wal}")
    return _list("go back to", rows, "", width, empty="there is nothing to go back to")


def _hindrances(survey: Survey, width: int) -> Texts:
    rows = [f"{b.kind.value} {b.name}: {b.detail}; {b.resolve}" for b in survey.blockers]
    texts = _list("in the way", rows, "$caution", width, empty="nothing is in the way")
    texts += _more(_list("replicas", survey.replicas, "", width)) if survey.replicas else []
    if survey.pooler:
        held = "hooks hold its clients back" if survey.hooks.get("resume") else "no hooks: expect 15 s and more"
        texts += _more(_labelled("pooler", f"{sanitise_line(survey.pooler)}; {held}", "$caution", width))
    return texts


# What is lost --------------------------------------------------------------------------------------------------------


def loss_page(survey: Survey, width: int) -> Content:
    """What going back undoes, table by table; what is not known is said to be unknown."""
    texts: Texts = [("Going back undoes what was written since the restore point.\n", "bold")]
    texts += hang(
        ("", ""), "With the swap the failed database is kept: nothing of it is destroyed, only left.", "", width
    )
    texts.append(("\n\n", ""))
    for number, line in enumerate(survey.loss):
        lowered = line.lower()
        style = "$caution" if line.startswith("!") or "unknown" in lowered else ("bold" if number == 0 else "")
        words = sanitise(line, 400).replace("\n", " ")
        # Rows of the table keep their columns; sentences are never cut.
        row = cut([(words, style)], width) if words.startswith(" ") else hang(("", ""), words, style, width)
        texts += [("\n" if number else "", ""), *row]
    return Content.assemble(*texts)


# Which way -----------------------------------------------------------------------------------------------------------


def option_rows(options: Sequence[Option], chosen: Strategy, proposed: Strategy, width: int) -> Content:
    """The table of ways: what is possible first says how long and what it costs, the rest says why not."""
    blocks = []
    for option in options:
        marked = option.strategy is chosen
        sign = ("✔", "$good") if option.feasible else ("✘", "$danger") if option.why_not else ("?", "$caution")
        title = f"{sanitise_line(option.title)}"
        texts: Texts = [("▸ " if marked else "  ", "bold $accent"), (f"{sign[0]} ", sign[1])]
        texts.append((f"{option.strategy.value:<13}", "bold" if marked else "$muted"))
        texts.append((title, "$muted" if option.why_not else "bold"))
        if option.strategy is proposed and option.feasible:
            texts.append(("  proposed", "$accent"))
        blocks.append(cut(texts, width))
        blocks += _option_details(option, marked, width)
    return Content("\n").join([Content.assemble(*block) for block in blocks])


def _option_details(option: Option, marked: bool, width: int) -> list[Texts]:
    pad = "                   "
    if not option.why_not:
        figure = f"about {format.took(option.downtime)}; " if option.downtime is not None else "unknown; "
        rows = [
            hang((f"{pad}depends ", "$muted"), sanitise_line(what, 400), "$caution", width) for what in option.depends
        ]
        rows += [hang((f"{pad}outage ", "$muted"), sanitise_line(f"{figure}{option.basis}", 300), "", width)]
        rows.append(hang((f"{pad}loses  ", "$muted"), sanitise_line(option.loss, 300), "", width))
    else:
        whys = option.why_not if marked else option.why_not[:1]
        rows = [hang((f"{pad}not now  ", "$muted"), sanitise_line(why, 400), "$caution", width) for why in whys]
        if len(option.why_not) > len(whys):
            rows.append([(f"{pad}and {_count(len(option.why_not) - len(whys), 'more reason')}", "$muted")])
    if marked and option.commands and not option.executed:
        rows.append([(f"{pad}by hand:", "$muted")])
        rows += [hang((f"{pad}│ ", "$accent"), sanitise_line(command, 400), "", width) for command in option.commands]
    return rows


def ways_page(options: Sequence[Option], chosen: Strategy, proposed: Strategy, means: Means, width: int) -> Content:
    """The table of ways under what was named for them."""
    named = means.arguments().items()
    given = [f"{name.replace('_', ' ')} {sanitise_line(value, 200)}" for name, value in named]
    table = option_rows(options, chosen, proposed, width)
    if not given:
        return table
    head = Content.assemble(*_labelled("named (o)", ", ".join(given), "", width), ("\n", ""))
    return Content("\n").join([head, table])


def way_rows(
    options: Sequence[Option], chosen: Strategy, proposed: Strategy, means: Means, width: int
) -> tuple[int, int]:
    """Where the chosen way stands on its page: its first row, and how many it has."""
    at = [option.strategy for option in options].index(chosen)
    until = ways_page(options[: at + 1], chosen, proposed, means, width).plain.count("\n") + 1
    own = option_rows([options[at]], chosen, proposed, width).plain.count("\n") + 1
    return until - own, own


# The plan ------------------------------------------------------------------------------------------------------------


def plan_page(plan: Plan, items: Sequence[Item], restore: Item, commands: Mapping[str, str], width: int) -> Content:
    """Every line of the rollback procedure in order, the database's own steps in their place with the exact text."""
    texts: Texts = [(sanitise_line(plan.title), "bold"), ("\n", "")]
    outage = f"about {format.took(plan.outage)}" if plan.outage is not None else "not known"
    texts += [("the database's part takes the application ", "$muted"), (outage, "bold"), (" of outage\n", "$muted")]
    texts += _refusals(plan, width)
    for number, item in enumerate(items, 1):
        texts += [("\n", ""), *hang((f"{number:>2}  ", "$muted"), sanitise_line(item.title, 120), "bold", width)]
        if item.id == restore.id:
            texts += _database_steps(plan, width)
        else:
            command = commands.get(item.id, "")
            texts += _command(command or "a person does it and attests it", bool(command), width)
    return Content.assemble(*texts)


def _refusals(plan: Plan, width: int) -> Texts:
    texts: Texts = []
    for refusal in plan.refusals:
        texts += [("\n", ""), *hang(("✘ ", "bold $danger"), sanitise_line(refusal, 400), "$danger", width)]
    for warning in plan.warnings:
        texts += [("\n", ""), *hang(("▲ ", "$caution"), sanitise_line(warning, 400), "$caution", width)]
    return [*texts, ("\n", "")] if texts else []


def _database_steps(plan: Plan, width: int) -> Texts:
    if plan.by_hand:
        return [("\n", ""), *hang(("      ", ""), "by hand: this program shows the commands and runs none", "", width)]
    texts: Texts = []
    for letter, step in zip("abcdefghijklmnopqrstuvwxyz", plan.steps, strict=False):
        if step.no_return:
            texts += [("\n", ""), *no_return_line(width)]
        texts += [("\n", ""), *hang((f"    {letter} ", "$muted"), sanitise_line(step.title, 200), "", width)]
        texts += _step_text(step, width)
    return texts


def _step_text(step: PlanStep, width: int) -> Texts:
    texts: Texts = []
    for line in sanitise(step.text, 20_000).split("\n"):
        texts += [("\n", ""), *hang(("      │ ", "$accent"), line, "$muted", width)] if line else []
    if step.undoing and not step.no_return:
        texts += [("\n", ""), *hang(("      undo  ", "$muted"), sanitise_line(step.undoing, 300), "$muted", width)]
    return texts


def no_return_line(width: int) -> Texts:
    """The line across the plan after which there is no cancelling."""
    words = " point of no return: from here on it goes to its end, and is undone by putting back "
    rest = max(0, width - len(words) - 4)
    return [(f"    ──{words}{'─' * rest}"[:width], "bold $danger")]


def _command(command: str, runs: bool, width: int) -> Texts:
    texts: Texts = []
    for line in sanitise(command.strip(), 4000).split("\n")[:8]:
        mark = ("      │ ", "$accent") if runs else ("      ", "")
        texts += [("\n", ""), *hang(mark, line, "" if runs else "$muted", width)]
    return texts


# Pieces --------------------------------------------------------------------------------------------------------------


def _labelled(label: str, text: str, style: str, width: int) -> Texts:
    return hang((f"{label:<{LABEL}}", "$muted"), text, style, width)


def _list(label: str, rows: Sequence[str], style: str, width: int, empty: str = "") -> Texts:
    if not rows:
        return _labelled(label, empty, "$muted", width) if empty else []
    texts: Texts = []
    for number, row in enumerate(rows[:MOST]):
        texts += [("\n", "")] if number else []
        texts += _labelled("" if number else label, sanitise_line(row, 500), style, width)
    if len(rows) > MOST:
        texts += [("\n", ""), *_labelled("", f"and {len(rows) - MOST} more", "$muted", width)]
    return texts


def _more(texts: Texts) -> Texts:
    return [("\n", ""), *texts] if texts else []


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
