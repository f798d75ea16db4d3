"""From the valid model to the domain's checklist, and the rules of the whole file."""

from __future__ import annotations

import re

from migconsole.adapters.checklists import models
from migconsole.adapters.checklists.index import Index, Path, suggest_exact
from migconsole.adapters.checklists.names import path_id
from migconsole.adapters.checklists.problems import Problem, suggest
from migconsole.adapters.checklists.reader import Map, core, path_text, place_of
from migconsole.adapters.checklists.steps import StepReader
from migconsole.domain.checklist import (
    ABORT_NOTICE,
    Alternative,
    Checklist,
    Gate,
    Item,
    Mode,
    Notification,
    Phase,
    Section,
    Step,
    TargetSpec,
    Tripwire,
    Variable,
)
from migconsole.domain.variables import NAME, is_reserved_name

REQUIREMENTS = ("postgresql", "migconsole")
_VERSIONS = re.compile(r"(?:\s*(?:>=|<=|>|<|==?|)\s*\d{1,3}(?:\.\d{1,3}){0,2}\s*(?:,(?=.)|$))+")


class Converter:
    """Builds one checklist; ``problems`` grows on the way, and only without any is the result sound."""

    def __init__(self, tree: Map, model: models.ChecklistModel, file: str) -> None:
        self.problems: list[Problem] = []
        self._tree = tree
        self._model = model
        self._file = file
        self._index = Index(model, self._report, lambda path: place_of(tree, list(path))[0] + 1)
        self._steps = StepReader(model, self._report)

    def convert(self) -> Checklist:
        """The whole checklist."""
        model = self._model
        self._check_head()
        if not model.phases:
            self._report(("phases",), "is empty: a checklist has at least one phase")
        return Checklist(
            title=model.checklist,
            format=int(model.format),
            requires=dict(model.requires),
            target=TargetSpec(model.target.url, model.target.environment, model.target.password_command),
            env_file=model.env_file,
            roles=model.roles,
            variables={
                name: Variable(name, entry.default, entry.env, entry.ask, entry.secret, entry.help)
                for name, entry in model.variables.items()
            },
            phases=tuple(self._phase(phase, ("phases", n)) for n, phase in enumerate(model.phases)),
            tripwires=tuple(self._tripwire(entry, ("tripwires", n)) for n, entry in enumerate(model.tripwires)),
            rollback=tuple(
                self._section(section, ("rollback", n), ("rollback",)) for n, section in enumerate(model.rollback)
            ),
            gates=tuple(self._gate(gate, ("gates", n)) for n, gate in enumerate(model.gates)),
            notifications=tuple(
                self._notification(entry, ("notifications", n)) for n, entry in enumerate(model.notifications)
            ),
            alarms=core(model.alarms or {}),
            pooler={key: str(value) for key, value in (model.pooler or {}).items()},
            approval=model.approval,
            abort_notice=ABORT_NOTICE if model.abort_notice is None else model.abort_notice,
        )

    def _report(self, path: Path, message: str, *, key: bool = False) -> None:
        line, column = place_of(self._tree, list(path), key=key)
        self.problems.append(Problem(self._file, line + 1, column + 1, path_text(list(path)), message))

    def _position(self, path: Path) -> str:
        return f"{self._file}:{place_of(self._tree, list(path))[0] + 1}"

    def _check_head(self) -> None:
        model = self._model
        for name, entry in model.variables.items():
            self._check_variable(name, entry, ("variables", name))
        for name, text in model.requires.items():
            self._check_requirement(name, text)
        for number, role in enumerate(model.roles):
            if role in model.roles[:number]:
                self._report(("roles", number), f"the role “{role}” stands here a second time")
        self._steps.check_text(("target", "url"), model.target.url)
        self._steps.check_url(("target", "url"), model.target.url)

    def _check_variable(self, name: str, entry: models.VariableModel, path: Path) -> None:
        if not NAME.fullmatch(name):
            self._report(path, "a variable's name is letters, digits and underscores", key=True)
        elif is_reserved_name(name):
            self._report(path, f"{name} steers every command and cannot be a variable", key=True)
        if entry.secret and entry.default:
            self._report((*path, "default"), "a secret does not stand in the file; say with env: where it comes from")
        if entry.default:
            self._steps.check_text((*path, "default"), entry.default)
            self._steps.check_url((*path, "default"), entry.default)

    def _check_requirement(self, name: str, text: str) -> None:
        path = ("requires", name)
        if name not in REQUIREMENTS:
            self._report(path, f"unknown requirement “{name}”{suggest(name, REQUIREMENTS)}", key=True)
        if not _VERSIONS.fullmatch(text):
            self._report(path, f'“{text}” is no version; write ">=11"')

    def _phase(self, phase: models.PhaseModel, path: Path) -> Phase:
        if not phase.sections:
            self._report((*path, "sections"), "is empty: a phase has at least one section")
        sections = tuple(
            self._section(section, (*path, "sections", n), (phase.phase,)) for n, section in enumerate(phase.sections)
        )
        return Phase(path_id([phase.phase]), phase.phase, phase.at, sections)

    def _section(self, section: models.SectionModel, path: Path, titles: tuple[str, ...]) -> Section:
        if not section.items:
            self._report((*path, "items"), "is empty: a section has at least one item")
        items = tuple(self._item(item, (*path, "items", n)) for n, item in enumerate(section.items))
        return Section(path_id((*titles, section.section)), section.section, items, Mode(section.mode))

    def _item(self, item: models.ItemModel, path: Path) -> Item:
        if item.optional and item.required:
            self._report((*path, "optional"), "an item is optional or required, not both", key=True)
        if item.items:
            self._steps.refuse_action(item, path, "a heading has no action of its own: its items do the work")
            if item.alternatives:
                self._report((*path, "alternatives"), "a heading has no alternatives", key=True)
        step = self._steps.step(item, path) if not item.alternatives else Step()
        alternatives = self._alternatives(item, path)
        ways = alternatives or (Alternative("", step),)
        for name, given in (("watch", item.watch is not None), ("schedule", bool(item.schedule))):
            if given:
                self._check_watch(path, ways, name)
        return Item(
            id=self._index.id_of(path),
            title=item.item,
            step=step,
            alternatives=alternatives,
            items=tuple(self._item(child, (*path, "items", n)) for n, child in enumerate(item.items)),
            optional=item.optional,
            required=item.required,
            needs=self._index.needs_of(path),
            estimate=item.estimate,
            watch=item.watch,
            schedule=tuple(sorted(set(item.schedule))),
            help=item.help,
            position=self._position(path),
        )

    def _alternatives(self, item: models.ItemModel, path: Path) -> tuple[Alternative, ...]:
        if item.alternatives:
            self._steps.refuse_action(item, path, "an action beside alternatives: make it one of them")
        found: list[Alternative] = []
        for number, alternative in enumerate(item.alternatives):
            place = (*path, "alternatives", number)
            if any(alternative.title == other.title for other in found):
                self._report((*place, "title"), f"another alternative is called “{alternative.title}”")
            found.append(Alternative(alternative.title, self._steps.alternative(item, alternative, place)))
        return tuple(found)

    def _check_watch(self, path: Path, ways: tuple[Alternative, ...], name: str = "watch") -> None:
        if not any(way.step.action.kind in ("check", "sql") for way in ways):
            self._report((*path, name), "only a check or a query can be watched", key=True)

    def _tripwire(self, entry: models.TripwireModel, path: Path) -> Tripwire:
        step = self._steps.step(entry, path)
        if entry.watch is not None:
            self._check_watch(path, (Alternative("", step),))
        place = self._position(path)
        return Tripwire(self._index.id_of(path), entry.tripwire, step, entry.watch, place, entry.clock or "")

    def _gate(self, gate: models.GateModel, path: Path) -> Gate:
        roles = self._model.roles
        for number, role in enumerate(gate.roles):
            if role not in roles:
                self._report((*path, "roles", number), f"unknown role “{role}”{suggest_exact(role, roles)}")
        self._index.check_heading((*path, "before"), gate.before)
        return Gate(self._index.id_of(path), gate.gate, gate.before, gate.roles or roles, self._position(path))

    def _notification(self, entry: models.NotificationModel, path: Path) -> Notification:
        for number, occasion in enumerate(entry.on):
            if occasion not in models.OCCASIONS:
                near = suggest(occasion, models.OCCASIONS)
                self._report((*path, "on", number), f"unknown occasion “{occasion}”{near}")
        self._steps.check_text((*path, "to"), entry.to)
        self._steps.check_url((*path, "to"), entry.to)
        return Notification(entry.on, entry.to)
