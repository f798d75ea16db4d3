"""Markdown checklists become YAML ones: nothing is lost, ids are stable, and anything gives a file that loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from migconsole.adapters import checklists
from migconsole.adapters.importing import Imported, convert, emit, parse
from migconsole.adapters.importing.emit import scalar
from migconsole.adapters.importing.markdown import written_boxes
from migconsole.adapters.importing.model import Item
from migconsole.cli import cli
from migconsole.domain.checklist import Checklist, Mode, Run, Sql
from migconsole.errors import UsageError
from migconsole.wiring.importing import read

SEED = Path(__file__).parent / "files" / "deployment-checklist.md"


def imported(text: str) -> tuple[Imported, Checklist]:
    result = convert(parse(text), text)
    return result, checklists.parse(emit(result, "x.md").encode(), "x.yaml")


@pytest.fixture(scope="module")
def seed() -> tuple[Imported, Checklist]:
    return imported(SEED.read_text())


def items_of(checklist: Checklist) -> dict[str, object]:
    walks = (*checklist.walk(), *checklist.walk_rollback())
    return {located.item.title: located.item for located in walks}


# -- the user's own checklist, unedited --------------------------------------------------------------------------------


def test_every_box_and_every_block_of_code_is_placed(seed: tuple[Imported, Checklist]) -> None:
    result, checklist = seed
    text = SEED.read_text()
    assert result.boxes == len(written_boxes(text)) == len(re.findall(r"^\s*- \[ \]", text, re.MULTILINE)) == 119
    assert result.codes == text.count("```") // 2 == 18
    walked = [*checklist.walk(), *checklist.walk_rollback()]
    assert len(walked) + len(checklist.tripwires) == 119
    assert not [remark for remark in result.all_remarks() if remark.undecided]


def test_every_line_of_it_is_in_the_file(seed: tuple[Imported, Checklist]) -> None:
    result, _ = seed
    made = " ".join(re.sub(r'[#"|\\:;`*]', " ", emit(result, "x.md")).split())
    offsets = re.compile(r"\((?:T|1 Day|First|Within)[^)]*\)")
    for line in SEED.read_text().splitlines():
        bare = re.sub(r"^[\s>]*(?:[-*+]|\d+\.)?\s*(?:\[ \])?|^#+", "", line)
        words = " ".join(re.sub(r'[#"|\\:;`*_]|\bOR\b', " ", offsets.sub("", bare)).split())
        if (
            not words
            or set(words) <= set("-/ ")
            or re.fullmatch(r"bash|sql|(Database Admin|.* Lead) .*|Role .*", words)
        ):
            continue
        assert words.replace("_", " ") in made.replace("_", " "), line


def test_phases_have_the_offsets_of_their_headings(seed: tuple[Imported, Checklist]) -> None:
    _, checklist = seed
    hour, day = 3600.0, 86400.0
    assert [(phase.title, phase.at) for phase in checklist.phases] == [
        ("Pre-Deployment", -day),
        ("Pre-Migration", -hour),
        ("Migration Execution", 0.0),
        ("Post-Migration", hour / 4),
        ("Communication", hour / 2),
        ("Post-Deployment", day),
        ("Post-Deployment Review", 7 * day),
    ]


def test_what_is_special_about_it(seed: tuple[Imported, Checklist]) -> None:
    result, checklist = seed
    items = items_of(checklist)
    assert list(checklist.roles) == ["Database Admin", "DevOps Lead", "Application Lead", "QA Lead"]
    assert [wire.title for wire in checklist.tripwires][:2] == [
        "Critical bugs preventing core functionality",
        "Data corruption detected",
    ]
    assert [section.title for section in checklist.rollback] == [
        "Enable Maintenance Mode",
        "Database Restoration",
        "Application Rollback",
        "Verification",
        "Communication",
    ]
    assert {section.mode for section in checklist.rollback} == {Mode.READ_DO}
    script = items["Run migration script"]
    assert [way.title for way in script.alternatives] == ["as written", "manually"]  # type: ignore[attr-defined]
    assert isinstance(script.alternatives[1].step.action, Run)  # type: ignore[attr-defined]
    assert [inner.title for inner in items["Test new features"].items] == [  # type: ignore[attr-defined]
        "Budget tracking",
        "Shipment tracking",
        "Dashboard personalization",
        "Lead time calculations",
    ]
    populated = items["Verify data populated correctly"].step.action  # type: ignore[attr-defined]
    assert isinstance(populated, Sql)
    assert len(populated.statements) == 4
    assert checklist.requires == {"postgresql": ">=11"}
    assert "[Add notes here]" in "\n".join(result.comments)


def test_the_hints_say_what_its_commands_really_do(seed: tuple[Imported, Checklist]) -> None:
    result, _ = seed
    said = {(remark.line, remark.text) for remark in result.all_remarks()}
    for line, words in ((267, "placeholder"), (259, "ignore DATABASE_URL"), (259, "destroys data"), (62, "plain dump")):
        assert any(at == line and words in text for at, text in said), (line, words)


def test_ids_do_not_depend_on_where_a_box_stands_or_on_its_markup() -> None:
    first, _ = imported("# X\n\n## A (T-0)\n\n- [ ] **Do** the `thing`\n- [ ] Other\n")
    second, _ = imported(
        "# X\n\ntext\n\n## A (T-0)\n\n* [x] New one\n* [ ] Other:\n* [ ] Do the thing:\n\n  ```sh\n  x\n  ```\n"
    )
    assert {item.title: item.id for item in first.all_items()}.items() <= {
        item.title: item.id for item in second.all_items()
    }.items()


# -- other people's ----------------------------------------------------------------------------------------------------


def find(result: Imported, title: str) -> Item:
    return next(item for item in result.all_items() if item.title == title)


def test_what_cannot_be_decided_is_said_with_its_line_and_marked_in_the_file() -> None:
    text = """# Plan

## Steps

- [ ] Write rows:
  ```sql
  UPDATE t SET a = 1;
  ```
- [ ] Compute:
  ```python
  print(1)
  ```
- [x] Was done
- No box here
- [ ] Mixed:
  ```sh
  one
  ```
  ```sql
  SELECT 1;
  ```
- [ ] Both:
  ```sh
  two ${release}
  ```
  - [ ] inner
"""
    result, checklist = imported(text)
    said = {remark.line: remark.text for remark in result.all_remarks() if remark.undecided}
    assert "T-0 was taken" in said[3]
    assert "no query" in said[6]
    assert "python" in said[10]
    assert "was ticked" in said[13]
    assert "has no box" in said[14]
    assert "two kinds" in said[19]
    assert "code and boxes" in said[22]
    made = emit(result, "x.md")
    assert made.count("# line") == len(said)
    assert "UPDATE t SET a = 1;" in find(result, "Write rows").help[0]
    assert "print(1)" in made
    assert "SELECT 1;" in made
    assert list(checklist.variables) == ["release"]
    assert result.boxes == 6


def test_several_statements_with_semicolons_inside() -> None:
    result, _ = imported("# X\n\n## A (T-0)\n\n- [ ] q\n\n  ```sql\n  SELECT ';'; -- ;\n  SELECT $$;$$;\n  ```\n")
    (action,) = find(result, "q").actions
    assert action.texts == ["SELECT ';'", "-- ;\nSELECT $$;$$"]


def test_a_prompt_is_not_part_of_a_command() -> None:
    result, _ = imported("# X\n\n## A (T-0)\n\n- [ ] q\n\n  ```console\n  $ ls\n  $ pwd\n  ```\n")
    assert find(result, "q").actions[0].texts == ["ls\npwd"]


@pytest.mark.parametrize(
    "text", ["", "\n", "just text", "# Title", "# A\n# B\n", "- [ ] box without a heading", "## R\n- [ ] x"]
)
def test_little_gives_a_file_that_loads(text: str) -> None:
    result, _ = imported(text)
    assert result.boxes == len(written_boxes(text))


def test_boxes_that_no_list_holds_are_noticed() -> None:
    result, _ = imported("# X\n\n" + "".join("  " * depth + "- [ ] x\n" for depth in range(80)))
    assert any("look like boxes" in remark.text for remark in result.all_remarks())


LINES = st.one_of(
    st.sampled_from(
        [
            *("# T", "## P (T-1h)", "### S", "#### D", "## Rollback", "### Criteria", "Rollback if:", "## Sign-Off"),
            *("- [ ] a", "  - [ ] b", "    - [x] c", "1. [ ] d", "1. step", "   - [ ] e", "* f", "> - [ ] g", "OR:"),
            *(
                "  ```bash",
                "  ```",
                "```sql",
                "```",
                "~~~",
                "SELECT 1;",
                "dropdb x",
                "| Role | a |",
                "|---|---|",
                "| x | y |",
            ),
            *(
                "- [ ] ",
                "- [ ] :",
                "- [ ] yes",
                "- [ ] a: b # c",
                "- [ ] 'q' \"r\"",
                "- [ ] \t|",
                "---",
                "",
                "    code",
            ),
            *(
                "<!-- c -->",
                "[a](b)",
                "- [ ] ${x} ${PATH} ${no",
                "  echo ${y}",
                "\x1b[31m",
                "\u2028",
                "- [ ] \ud7ff\U0001f600",
            ),
        ]
    ),
    st.text(max_size=60),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES, max_size=25))
@example(["- [ ] a", "  ```", "  x", "", "  y: |", "  ```"])
@example(["# " + "x" * 400, "- [ ] " + "é" * 400])
@example(["## A", "- [ ] x"] * 3)
def test_anything_gives_a_file_that_loads_and_keeps_every_box(lines: list[str]) -> None:
    text = "\n".join(lines)
    result, checklist = imported(text)
    walked = [*checklist.walk(), *checklist.walk_rollback()]
    assert len(walked) + len(checklist.tripwires) >= result.boxes
    if result.boxes != len(written_boxes(text)):
        assert any("look like boxes" in remark.text for remark in result.all_remarks())


@given(st.text(max_size=80))
def test_scalars_are_read_back_as_they_were(text: str) -> None:
    import yaml

    text = text.encode("utf-8", "replace").decode()
    assert yaml.safe_load(f"a: {scalar(text)}")["a"] == text
    assert yaml.safe_load(f"[{scalar(text, flow=True)}]") == [text]


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command(tmp_path: Path) -> None:
    output = tmp_path / "out.yaml"
    done = CliRunner().invoke(cli, ["import", str(SEED), "--output", str(output)])
    assert done.exit_code == 0, done.output
    assert "119 boxes and 18 blocks of code" in done.stderr
    assert checklists.load(output).checklist.boxes() == 99
    again = CliRunner().invoke(cli, ["import", str(SEED), "--output", str(output)])
    assert isinstance(again.exception, UsageError), "nothing is overwritten"
    to_stdout = CliRunner().invoke(cli, ["import", str(SEED)])
    assert to_stdout.stdout == output.read_text()


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * (3 * 1024 * 1024)])
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.md"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError):
        read(path)


def test_a_run_names_the_way_from_markdown() -> None:
    with pytest.raises(UsageError) as caught:
        checklists.load(SEED)
    assert "migconsole import" in caught.value.remedy
