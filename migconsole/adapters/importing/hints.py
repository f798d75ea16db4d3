"""Advice on commands that were written for a person at a terminal, and mean something else when a program runs them."""

from __future__ import annotations

import re

from migconsole.adapters.importing.model import Action, Imported, Remark
from migconsole.domain.checklist import Danger
from migconsole.domain.danger import classify_shell

MANY = 9
"""Items of a section beyond which it is hard to keep one's place."""

_SHELL_HINTS = (
    (
        re.compile(r"\b[\w./-]*(?:TIMESTAMP|YYYY|CHANGEME|XXXX?|YOUR_\w+)[\w./-]*\b|<[A-Za-z][\w -]{1,30}>(?!\S)"),
        "has a placeholder; capture the value in an earlier item, or name a variable",
    ),
    (
        re.compile(r"\b(?:dropdb|createdb)\b(?![^\n]*(?:-h\b|--host))"),
        "dropdb and createdb ignore DATABASE_URL; the target reaches them here, but not in a shell of yours",
    ),
    (
        re.compile(r"\b(?:psql|pg_dump|pg_restore)\s+[\"']?\$\{?DATABASE_URL"),
        "DATABASE_URL reaches commands without Prisma's own parameters and without the password, as libpq wants it",
    ),
    (
        re.compile(r"\bpsql\b(?![^\n]*ON_ERROR_STOP)[^\n]*(?:<\s*\S|-f\b|--file)"),
        "a shell of yours goes on after an error in a script (here ON_ERROR_STOP is set); -1 makes it one transaction",
    ),
    (
        re.compile(r"\bpg_dump\b(?![^\n]*(?:-F|--format))[^\n]*>"),
        "a plain dump that is cut restores without an error; the action backup takes one that is proven",
    ),
)


def hints(result: Imported) -> list[Remark]:
    """Advice on everything that was imported, each with its line."""
    found: list[Remark] = []
    unexpected: list[int] = []
    for item in result.all_items():
        for action in item.actions:
            unexpected.append(action.line)
            found += _of_shell(action, item.title) if action.kind == "run" else ()
    if unexpected:
        where = ", ".join(map(str, sorted(set(unexpected))))
        why = f"commands and queries without expect ask a person, whatever their exit code: those of lines {where}"
        found.append(Remark(min(unexpected), why, undecided=False))
    for phase in result.phases:
        for section in phase.sections:
            if len(section.items) > MANY:
                why = f"“{section.title}” has {len(section.items)} items; cut it in two where there is a place for it"
                found.append(Remark(section.line, why, undecided=False))
    if not result.rollback:
        found.append(Remark(1, "there is no rollback section: how does one go back?", undecided=False))
    if not result.roles:
        found.append(Remark(1, "there is no sign-off table, so nobody's role is known", undecided=False))
    return found


def _of_shell(action: Action, title: str) -> list[Remark]:
    text = "\n".join(action.texts)
    advice = [words for pattern, words in _SHELL_HINTS if pattern.search(text)]
    if classify_shell(text) is Danger.DESTRUCTIVE:
        advice.append("it destroys data, so it will ask for the database's name")
    return [Remark(action.line, f"“{title[:60]}”: {words}", undecided=False) for words in advice]
