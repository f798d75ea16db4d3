"""One step of the file to one step of the domain: its action, its expectation and the names it uses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from migconsole.adapters.checklists import models
from migconsole.adapters.checklists.index import Path, Report
from migconsole.adapters.checklists.problems import suggest
from migconsole.adapters.checklists.reader import core
from migconsole.domain.checklist import Action, Answer, Check, Danger, Job, Manual, Run, Sql, Step
from migconsole.domain.commands import ARGUMENTS
from migconsole.domain.expectation import RUN_KEYS, SQL_KEYS, Condition, Expectation, ExpectationError, parse_condition
from migconsole.domain.patterns import PatternError, compile_pattern
from migconsole.domain.sql import query_problem
from migconsole.domain.variables import (
    NAME,
    hook_script,
    is_reserved_name,
    is_secret_name,
    references,
    step_texts,
)

ACTIONS = ("run", "hook", "sql", "check", "answer", *models.JOBS)
_RUN_ONLY = ("capture", "tty", "interactive", "cwd", "env", "url")
_INHERITED = ("danger", "timeout", "lock_timeout", "expect", *_RUN_ONLY)
_FREE_NAMES = ("PGOPTIONS", "PGTZ", "PAGER")
_ENVIRONMENT_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_QUOTED_REFERENCE = re.compile(r"'[^'\n]*\$\{[A-Za-z_]\w*\}[^'\n]*'")
_PASSWORD_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:(?!\$\{)[^/\s@]+@", re.IGNORECASE)


class StepReader:
    """Reads the steps of one file and reports what is wrong with them."""

    def __init__(self, model: models.ChecklistModel, report: Report) -> None:
        self._report = report
        self._variables = set(model.variables)
        self._secret = {name for name, variable in model.variables.items() if variable.secret}
        self._known = self._variables | set(_captures(model))

    def step(self, model: models.StepModel, path: Path) -> Step:
        """The step that stands at ``path``."""
        return self._step(model, path, {name: path for name in models.StepModel.model_fields})

    def alternative(self, item: models.ItemModel, model: models.AlternativeModel, path: Path) -> Step:
        """A step that takes over what the item says beside its alternatives, unless it says so itself."""
        item_path = path[:-2]
        inherited = [name for name in _INHERITED if name in item.model_fields_set - model.model_fields_set]
        if model.run is None and model.hook is None:
            inherited = [name for name in inherited if name not in _RUN_ONLY]
        if not any(getattr(model, name) is not None for name in ACTIONS if name != "answer"):
            inherited = []
        merged = model.model_copy(update={name: getattr(item, name) for name in inherited})
        return self._step(merged, path, {name: item_path if name in inherited else path for name in _INHERITED})

    def refuse_action(self, model: models.ItemModel, path: Path, why: str) -> None:
        """Report every action on an item that must have none."""
        for name in ACTIONS:
            if getattr(model, name) is not None:
                self._report((*path, name), why, key=True)

    def check_text(self, path: Path, text: str) -> None:
        """Report references to names that nothing in the file declares. Names in capitals are the environment's."""
        for name in references(text):
            base = name.partition(".")[0]
            if name in self._known or _ENVIRONMENT_NAME.fullmatch(name) or ("." in name and base in models.JOBS):
                continue
            near = suggest(name, self._known)
            self._report(path, f"${{{name}}} is not declared under variables and not captured anywhere{near}")

    def check_url(self, path: Path, text: str) -> None:
        """Report a password that stands in the file."""
        if _PASSWORD_IN_URL.search(text):
            self._report(
                path, "a password stands in this file; name a secret variable instead, such as ${DATABASE_URL}"
            )

    def _step(self, model: models.StepModel, path: Path, paths: dict[str, Path]) -> Step:
        action = self._action(model, path)
        step = Step(
            action=action,
            danger=Danger(model.danger) if model.danger else None,
            timeout=model.timeout,
            lock_timeout=model.lock_timeout,
            expect=self._expectation(model, action, (*paths["expect"], "expect")),
            capture=self._capture(model, (*paths["capture"], "capture")),
            tty=model.tty,
            interactive=model.interactive,
            cwd=model.cwd,
            env=dict(model.env),
            url=model.url,
        )
        self._check_options(model, action, paths)
        for place, text in step_texts(step):
            if "${" in text:
                self.check_text((*paths.get(str(place[0]), path), *place), text)
        return step

    def _action(self, model: models.StepModel, path: Path) -> Action:
        given = [name for name in ACTIONS if getattr(model, name) is not None]
        for name in given[1:]:
            self._report((*path, name), f"a second action beside {given[0]}: an item does one thing", key=True)
        name = given[0] if given else ""
        if name == "run":
            return Run(str(model.run))
        if name == "hook":
            return self._hook(model.hook or (), (*path, "hook"))
        if name == "sql":
            return self._sql(model.sql or (), (*path, "sql"))
        if name == "check":
            return self._check(model.check or {}, (*path, "check"))
        if name == "answer" and model.answer is not None:
            return self._answer(model.answer, (*path, "answer"))
        return self._job(name, core(getattr(model, name)), (*path, name)) if name else Manual()

    def _job(self, name: str, arguments: dict[str, Any], path: Path) -> Action:
        known = ARGUMENTS[name]
        for argument in arguments:
            if argument not in known:
                near = suggest(argument, known) or f"; it takes {', '.join(known)}"
                self._report((*path, argument), f"{name} has no argument “{argument}”{near}", key=True)
        return Job(name, arguments)

    def _hook(self, words: tuple[str, ...], path: Path) -> Action:
        if words[0] not in self._variables:
            where = (*path, 0) if len(words) > 1 else path
            self._report(where, f"“{words[0]}” is not declared under variables{suggest(words[0], self._variables)}")
        if any("\n" in word for word in words):
            self._report(path, "an argument has a line break")
        return Run(hook_script(words[0], words[1:]), hook=words[0])

    def _sql(self, statements: tuple[str, ...], path: Path) -> Action:
        for number, statement in enumerate(statements):
            why = query_problem(statement)
            if not why and _QUOTED_REFERENCE.search(statement):
                why = "${…} becomes a quoted literal by itself: write it without quotes"
            if why:
                self._report((*path, number), why)
        return Sql(statements)

    def _check(self, check: dict[str, Any], path: Path) -> Action:
        name = str(check.get("name"))
        if name not in models.CHECKS:
            self._report((*path, "name"), f"unknown check “{name}”{suggest(name, models.CHECKS)}")
        return Check(name, core({key: value for key, value in check.items() if key != "name"}))

    def _answer(self, answer: models.AnswerModel, path: Path) -> Action:
        if (answer.type == "choice") != bool(answer.choices):
            self._report(path, "choices belong to type: choice, and it needs them")
        if answer.type == "choice" and answer.default and answer.default not in answer.choices:
            self._report((*path, "default"), f"“{answer.default}” is none of the choices")
        if answer.variable and answer.variable not in self._variables:
            near = suggest(answer.variable, self._variables)
            self._report((*path, "variable"), f"“{answer.variable}” is not declared under variables{near}")
        return Answer(answer.type, answer.ask, answer.choices, answer.default, answer.variable)

    def _expectation(self, model: models.StepModel, action: Action, path: Path) -> Expectation | None:
        if model.expect is None:
            return None
        if isinstance(action, Manual | Answer):
            self._report(
                path, "nothing is observed here: only run, hook, sql, check and jobs can be expected to show", key=True
            )
            return None
        if not model.expect:
            self._report(path, "expects nothing; leave it out and a person is asked")
        conditions: list[Condition] = []
        for key, value in model.expect.items():
            try:
                conditions += parse_condition(
                    key, core(value) if isinstance(value, list | dict) else value, action.kind
                )
            except ExpectationError as error:
                self._report((*path, key), f"{error}{_near_key(key, action)}")
        if model.interactive and any(c.key in ("output", "not_output") for c in conditions):
            self._report(path, "the output of an interactive command is not kept, so nothing can be expected of it")
        return Expectation(tuple(conditions))

    def _capture(self, model: models.StepModel, path: Path) -> dict[str, str]:
        for name, pattern in model.capture.items():
            if not NAME.fullmatch(name) or is_reserved_name(name):
                self._report((*path, name), f"“{name}” cannot be a variable's name", key=True)
            if name in self._secret or is_secret_name(name):
                why = "what is captured is recorded in clear; let the commands that need it read it themselves"
                self._report((*path, name), f"“{name}” sounds like a secret: {why}", key=True)
            try:
                compile_pattern(pattern)
            except PatternError as error:
                self._report((*path, name), str(error))
        return dict(model.capture)

    def _check_options(self, model: models.StepModel, action: Action, paths: dict[str, Path]) -> None:
        refused: dict[str, str] = {}
        if not isinstance(action, Run):
            refused |= dict.fromkeys(_RUN_ONLY, "belongs to run or hook")
        if isinstance(action, Manual | Answer):
            refused |= dict.fromkeys(("timeout", "lock_timeout", "danger"), "needs an action")
        for name, why in refused.items():
            if name in model.model_fields_set:
                self._report((*paths[name], name), f"{name} {why}", key=True)
        for name in model.env:
            if is_reserved_name(name) and name not in _FREE_NAMES:
                path = (*paths["env"], "env", name)
                self._report(path, f"{name} is set from the target and cannot be changed", key=True)


def _near_key(key: str, action: Action) -> str:
    known = {"run": RUN_KEYS, "sql": SQL_KEYS}.get(action.kind, ())
    return "" if key in known or "." in key else suggest(key, known)


def _captures(model: models.ChecklistModel) -> Iterable[str]:
    def walk(items: Iterable[models.ItemModel]) -> Iterable[str]:
        for item in items:
            yield from item.capture
            for alternative in item.alternatives:
                yield from alternative.capture
            yield from walk(item.items)

    for phase in model.phases:
        for section in phase.sections:
            yield from walk(section.items)
    for section in model.rollback:
        yield from walk(section.items)
    for tripwire in model.tripwires:
        yield from tripwire.capture
