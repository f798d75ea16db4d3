"""The reference of the format: every block loads, and nothing it should name is missing."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from migconsole.adapters.checklists import parse
from migconsole.adapters.checklists.models import (
    CHECKS_LATER,
    CHECKS_NOW,
    CONTAINERS,
    JOBS_LATER,
    JOBS_NOW,
    OCCASIONS,
    ChecklistModel,
)
from migconsole.adapters.postgres.checks import CHECK_DOCS

TEXT = (Path(__file__).parents[2] / "docs" / "checklist-format.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
HEAD = """\
checklist: T
variables: {stop_app: {default: x}, smoke_test: {default: x}, backup_dir: {default: x}}
phases:
- phase: P
  at: T-0
  sections:
  - section: S
    items:
"""
PHASES = "phases: [{phase: P, at: T-0, sections: [{section: S, items: [{item: A}]}]}]\n"


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_block_loads(number: int) -> None:
    block = BLOCKS[number]
    if block.startswith("- item:"):
        block = f"{HEAD}{textwrap.indent(block, '        ')}"
    elif not block.startswith("checklist:"):
        block = f"checklist: T\n{block}{PHASES}"
    assert parse(block.encode(), f"block-{number}").boxes()


def test_the_blocks_were_found() -> None:
    assert len(BLOCKS) >= 7
    assert BLOCKS[0].startswith("checklist:")


@pytest.mark.parametrize("model", dict.fromkeys(CONTAINERS.values()), ids=lambda model: model.__name__)
def test_every_key_is_named(model: type[ChecklistModel]) -> None:
    for key in model.model_fields:
        assert re.search(rf"`{key}`|`{key}: |\b{key}:", TEXT), key


def test_every_action_and_check_is_in_the_table_of_what_is_available() -> None:
    table = TEXT.partition("## What is available")[2].partition("## How values")[0]
    actions, checks = (line for line in table.splitlines() if line.startswith(("| actions", "| checks")))
    for now, later, row in ((JOBS_NOW, JOBS_LATER, actions), (CHECKS_NOW, CHECKS_LATER, checks)):
        _, _, available, coming, _ = row.split("|")
        assert set(now) <= set(re.findall(r"`(\w+)`", available))
        assert set(re.findall(r"`(\w+)`", coming)) == set(later)
    assert all(f"`{occasion}`" in TEXT for occasion in OCCASIONS)


def test_every_value_of_every_check_is_described() -> None:
    for name, doc in CHECK_DOCS.items():
        row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{name}`<br>"))
        for word, meaning in {**doc.arguments, **doc.values}.items():
            assert f"`{word}`: {meaning}" in row, f"{name}: {word}"
