"""The loader: what it accepts, and every complaint with its place."""

from __future__ import annotations

import contextlib
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migconsole.adapters.checklists import ChecklistError, available, find, load, parse, sha256_of
from migconsole.adapters.checklists.names import LONGEST_ID, path_id, slug
from migconsole.domain.checklist import Answer, Check, Checklist, Danger, Item, Job, Manual, Mode, Run, Sql
from migconsole.domain.expectation import Condition
from migconsole.errors import EXIT_USAGE, UsageError

HEAD = """\
checklist: T
format: 1
roles: [DBA, Dev]
variables:
  dir: {default: /b}
  hook: {default: ""}
phases:
  - phase: P
    at: T-0
    sections:
      - section: S
        items:
"""
BEFORE = HEAD.count("\n")


def items(text: str) -> Checklist:
    return parse(source(text), "c.yaml")


def source(text: str) -> bytes:
    return (HEAD + textwrap.indent(textwrap.dedent(text).lstrip("\n"), " " * 10)).encode()


def only(text: str) -> Item:
    return next(items(text).walk()).item


def complaints(data: bytes | str) -> list[str]:
    raw = data.encode() if isinstance(data, str) else data
    with pytest.raises(ChecklistError) as caught:
        parse(raw, "c.yaml")
    assert caught.value.exit_code == EXIT_USAGE
    assert list(caught.value.problems) == sorted(caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


def test_an_item_without_an_action_is_done_by_a_person() -> None:
    item = only("- item: Look")
    assert item.step.action == Manual()
    assert (item.id, item.position) == ("p.s.look", f"c.yaml:{BEFORE + 1}")


def test_every_key_of_an_item_arrives() -> None:
    item = only(
        """
        - item: Clear
          id: clear
          run: redis-cli flushdb
          danger: destructive
          timeout: 2m
          lock_timeout: 5s
          expect: {exit: 0, output: OK, not_output: "(error)"}
          capture: {n: "(\\\\d+)"}
          tty: false
          cwd: sub
          env: {A: "${dir}"}
          url: original
          optional: yes
          estimate: 1h30m
          help: why
        """
    )
    step = item.step
    assert step.action == Run("redis-cli flushdb")
    assert (step.danger, step.timeout, step.lock_timeout) == (Danger.DESTRUCTIVE, 120, 5)
    assert step.expect is not None
    assert step.expect.conditions == (
        Condition("exit", "0"),
        Condition("output", "OK"),
        Condition("not_output", "(error)"),
    )
    assert step.capture == {"n": "(\\d+)"}
    assert (step.tty, step.cwd, step.env, step.url) == (False, "sub", {"A": "${dir}"}, "original")
    assert (item.id, item.optional, item.estimate, item.help) == ("clear", True, 5400, "why")


def test_the_head_arrives() -> None:
    checklist = parse(
        b"""\
checklist: T
requires: {postgresql: ">=11"}
target: {url: "${DATABASE_URL}", environment: staging, password_command: pass db}
env_file: .env
roles: [DBA, Dev]
variables:
  dir: {default: ./b, ask: true, help: where}
  slack: {env: SLACK_WEBHOOK, secret: true}
  zip: {default: 010}
phases:
  - {phase: Before, at: T-1h, sections: [{section: S, mode: read-do, items: [{item: A}]}]}
tripwires:
  - {tripwire: Slow, check: server_health, expect: {restarted: false}, watch: 15s}
rollback:
  - {section: R, items: [{item: Restore, restore: {prefer: [swap, in-place]}}]}
gates:
  - {gate: Go for T-0, id: go, before: Before, roles: [DBA]}
  - {gate: All, before: before}
notifications:
  - {on: [gate, safe-abort-near], to: "${slack}"}
alarms: {blocked: {warn: 3}}
pooler: {pause: "PAUSE app"}
""",
        "c.yaml",
    )
    assert checklist.requires == {"postgresql": ">=11"}
    assert (checklist.target.environment, checklist.target.password_command) == ("staging", "pass db")
    assert checklist.variables["slack"].secret
    assert checklist.variables["slack"].default is None
    assert checklist.variables["zip"].default == "010"
    assert (checklist.phases[0].at, checklist.phases[0].sections[0].mode) == (-3600, Mode.READ_DO)
    assert (checklist.tripwires[0].id, checklist.tripwires[0].watch) == ("tripwires.slow", 15)
    restore = next(checklist.walk_rollback()).item
    assert restore.step.action == Job("restore", {"prefer": ["swap", "in-place"]})
    assert [(g.id, g.roles) for g in checklist.gates] == [("go", ("DBA",)), ("all", ("DBA", "Dev"))]
    assert checklist.notifications[0].on == ("gate", "safe-abort-near")
    assert (checklist.alarms, checklist.pooler) == ({"blocked": {"warn": 3}}, {"pause": "PAUSE app"})


def test_a_list_of_commands_stops_at_the_first_that_fails_and_a_block_stands_as_written() -> None:
    assert only("- {item: A, run: [one, two]}").step.action == Run("set -e\none\ntwo")
    assert only("- {item: A, run: [one]}").step.action == Run("one")
    assert only("- item: A\n  run: |\n    one\n    two\n").step.action == Run("one\ntwo")


def test_hooks_checks_answers_queries_and_jobs() -> None:
    found = items(
        """
        - {item: A, hook: hook}
        - {item: B, hook: [hook, "a b", c]}
        - {item: C, check: {name: tables_exist, tables: [x, "7"], factor: 2, deep: true}}
        - {item: D, answer: {type: choice, ask: Which?, choices: [a, b], default: b, variable: dir}}
        - {item: E, sql: [SELECT 1, "TABLE x"]}
        - {item: F, lint: }
        - {item: G, backup: {directory: "${dir}", jobs: 2}}
        """
    )
    actions = [located.item.step.action for located in found.walk()]
    assert isinstance(actions[0], Run)
    assert actions[0].hook == "hook"
    assert isinstance(actions[1], Run)
    assert actions[1].script.startswith("set -- 'a b' c\n")
    assert actions[2:] == [
        Check("tables_exist", {"tables": ["x", "7"], "factor": 2, "deep": True}),
        Answer("choice", "Which?", ("a", "b"), "b", "dir"),
        Sql(("SELECT 1", "TABLE x")),
        Job("lint", {}),
        Job("backup", {"directory": "${dir}", "jobs": 2}),
    ]


def test_alternatives_take_over_what_stands_beside_them() -> None:
    item = only(
        """
        - item: A
          timeout: 4m
          capture: {n: "(x)"}
          expect: {exit: 0}
          alternatives:
            - {title: script, run: ./x.sh}
            - {title: other, run: ./y.sh, timeout: 1m, expect: {exit: 1}}
            - {title: query, sql: SELECT 1, expect: {rows: 1}}
            - {title: by hand}
        """
    )
    script, other, query, hand = (alternative.step for alternative in item.alternatives)
    assert (script.timeout, script.capture) == (240, {"n": "(x)"})
    assert script.expect is not None
    assert (other.timeout, other.expect is not None and other.expect.conditions[0].text) == (60, "1")
    assert (query.timeout, query.capture) == (240, {})
    assert (hand.action, hand.expect, hand.timeout) == (Manual(), None, None)


def test_an_inherited_expectation_must_fit_every_alternative() -> None:
    text = "- item: A\n  expect: {exit: 0}\n  alternatives: [{title: x, run: ls}, {title: y, sql: SELECT 1}]\n"
    assert "sql knows no condition “exit”" in complaints(source(text))[0]


def test_needs_name_items_checks_gates_and_restore_points() -> None:
    checklist = parse(
        source(
            """
            - {item: Disk, id: disk, check: disk_free}
            - {item: A, id: a, needs: ["check:disk_free", disk, "gate:go", restore-point-armed]}
            - {item: B, needs: a}
            """
        )
        + b"gates: [{gate: Go, before: P}]\n",
        "c.yaml",
    )
    assert [located.item.needs for located in checklist.walk()] == [
        (),
        ("disk", "disk", "gate:go", "restore-point-armed"),
        ("a",),
    ]


def test_ids_follow_the_headings_and_stay_when_neighbours_move() -> None:
    found = items("- item: A\n  items: [{item: X}, {item: Y, id: why}]\n- item: B\n  items: [{item: X}]\n")
    assert [located.item.id for located in found.walk()] == ["p.s.a", "p.s.a.x", "why", "p.s.b", "p.s.b.x"]


def test_ids_are_safe_folder_names_whatever_the_title() -> None:
    long = path_id(["x" * 300] * 5)
    assert len(long) <= LONGEST_ID
    assert long != path_id([*["x" * 300] * 5, "y"])
    assert slug("../../etc") == "etc"
    assert slug("检查") != slug("确认")


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6))
def test_every_id_is_one_path_component(titles: list[str]) -> None:
    found = path_id(titles)
    assert found.isascii()
    assert 0 < len(found) <= LONGEST_ID
    assert not set(found) - set("abcdefghijklmnopqrstuvwxyz0123456789.-")
    assert found[0] not in ".-"


def test_all_problems_are_reported_at_once_with_their_places() -> None:
    found = complaints(
        """\
checklist: T
colour: red
roles: [DBA]
phases:
  - phase: P
    at: T-1
    sections:
      - section: S
        mode: read-doo
        items:
          - itm: Misspelt
          - item: Two actions
            run: ls
            sql: SELECT 1
          - item: Bad values
            timeout: 5
            danger: mutatin
            run: ls
            expect: {exit: zero, output: "(", ouput: x}
          - item: Needs
            needs: [nothing, bad-values]
            optional: true
            required: true
          - 5
          - item: Nested
            items: 7
gates:
  - {gate: G, before: Q, roles: [DAB]}
"""
    )
    assert found == [
        "c.yaml:2:1: colour: unknown key “colour”",
        "c.yaml:6:9: phases[0].at: “T-1” is not an offset; write T-1d, T-1h, T-0 or T+15m",
        "c.yaml:9:15: phases[0].sections[0].mode: “read-doo” is none of read-do, do-confirm (did you mean “read-do”?)",
        "c.yaml:11:13: phases[0].sections[0].items[0].itm: unknown key “itm” (did you mean “item”?)",
        "c.yaml:14:13: phases[0].sections[0].items[1].sql: a second action beside run: an item does one thing",
        "c.yaml:16:22: phases[0].sections[0].items[2].timeout: “5” is not a duration; write 90s, 4m, 1h30m or 2d",
        "c.yaml:17:21: phases[0].sections[0].items[2].danger: “mutatin” is none of read, mutating, destructive"
        " (did you mean “mutating”?)",
        "c.yaml:19:28: phases[0].sections[0].items[2].expect.exit: exit: “zero” is not a whole number or a comparison"
        " with one",
        "c.yaml:19:42: phases[0].sections[0].items[2].expect.output: output: not a regular expression: missing ),"
        " unterminated subpattern at position 0",
        "c.yaml:19:54: phases[0].sections[0].items[2].expect.ouput: run knows no condition “ouput”; write exit,"
        " output or not_output (did you mean “output”?)",
        "c.yaml:21:21: phases[0].sections[0].items[3].needs[0]: no item has the id “nothing”",
        "c.yaml:21:30: phases[0].sections[0].items[3].needs[1]: no item has the id “bad-values” (did you mean"
        " “p.s.bad-values”?)",
        "c.yaml:22:13: phases[0].sections[0].items[3].optional: an item is optional or required, not both",
        "c.yaml:24:13: phases[0].sections[0].items[4]: expected keys with values",
        "c.yaml:26:20: phases[0].sections[0].items[5].items: expected a list",
        "c.yaml:28:23: gates[0].before: no phase, section or item is called “Q”",
        "c.yaml:28:34: gates[0].roles[0]: unknown role “DAB” (did you mean “DBA”?)",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- {item: A}\n- {item: A}", "the id “p.s.a” is already used in line 13; give one of the two an id of its own"),
        ("- {item: A, id: x}\n- {item: B, id: x}", "items[1].id: the id “x” is already used in line 13"),
        ("- {item: A, id: Bad Id}", "“Bad Id” is no id"),
        ("- {item: A, item: B}", "the key “item” stands here a second time (first in line 13)"),
        ("- {item: }", "item: is empty"),
        ("- {item: '  '}", "item: is empty"),
        ('- {item: "a\\nb"}', "item: expected one line"),
        (f"- {{item: {'x' * 301}}}", "longer than 300 characters"),
        ("- {item: A, run: }", "run: expected text or a list of commands"),
        ("- {item: A, run: [ls, 5, '']}", "run: expected text or a list of commands"),
        ("- {item: A, run: {a: b}}", "run: expected text or a list of commands"),
        ("- {item: A, optional: perhaps}", "expected true or false"),
        ("- {item: A, needs: {a: b}}", "needs: expected text or a list of names"),
        ("- {item: A, check: disc_free}", "unknown check “disc_free” (did you mean “disk_free”?)"),
        ("- {item: A, check: {nam: x}}", "expected the name of a check, or a mapping with name:"),
        ("- {item: A, sql: DELETE FROM x}", "sql[0]: begins with DELETE; a sql entry is one SELECT"),
        ("- {item: A, sql: [SELECT 1, SELECT 1; SELECT 2]}", "sql[1]: 2 statements in one entry"),
        ("- {item: A, sql: \"SELECT '${dir}'\"}", "write it without quotes"),
        ("- {item: A, sql: 'SELECT ${dri}'}", "${dri} is not declared under variables and not captured anywhere"),
        ("- {item: A, run: ls, cwd: '${dri}'}", "(did you mean “dir”?)"),
        ("- {item: A, run: ls, env: {X: '${dri}'}}", "env.X: ${dri} is not declared"),
        ("- {item: A, run: ls, env: {PGHOST: x}}", "PGHOST is set from the target and cannot be changed"),
        ("- {item: A, backup: {directory: '${dri}'}}", "backup.directory: ${dri} is not declared"),
        ("- {item: A, prove: {keep: armed}}", "prove.keep: prove has no argument “keep” (did you mean “keep_armed”?)"),
        ("- {item: A, drill: {x: 1}}", "drill has no argument “x”; it takes directory, jobs, keep_backup, disk_free"),
        ("- {item: A, hook: hok}", "“hok” is not declared under variables (did you mean “hook”?)"),
        ("- {item: A, hook: [hok, x]}", "hook[0]: “hok” is not declared"),
        ("- {item: A, hook: []}", "hook: expected text or a list of a variable and arguments"),
        ("- {item: A, answer: {type: siz, ask: q}}", "(did you mean “size”?)"),
        ("- {item: A, answer: {type: size}}", "“ask” is missing"),
        ("- {item: A, answer: {type: choice, ask: q}}", "choices belong to type: choice, and it needs them"),
        ("- {item: A, answer: {type: choice, ask: q, choices: [a], default: b}}", "“b” is none of the choices"),
        ("- {item: A, answer: {ask: q, variable: dri}}", "“dri” is not declared under variables (did you mean “dir”?)"),
        ("- {item: A, expect: {exit: 0}}", "nothing is observed here"),
        ("- {item: A, run: ls, expect: {}}", "expects nothing"),
        ("- {item: A, run: ls, expect: 5}", "expect: expected keys with values"),
        ("- {item: A, run: ls, interactive: true, expect: {output: x}}", "interactive command is not kept"),
        ("- {item: A, run: ls, capture: {PATH: x}}", "“PATH” cannot be a variable's name"),
        ("- {item: A, run: ls, capture: {n: '(a+)+'}}", "can take for ever"),
        ("- {item: A, run: ls, capture: {api_token: '(x)'}}", "“api_token” sounds like a secret"),
        ("- {item: A, sql: SELECT 1, tty: false}", "tty belongs to run or hook"),
        ("- {item: A, timeout: 5s}", "timeout needs an action"),
        ("- {item: A, run: ls, watch: 5s}", "only a check or a query can be watched"),
        ("- {item: A, run: ls, items: [{item: B}]}", "a heading has no action of its own"),
        ("- {item: A, run: ls, alternatives: [{title: x}]}", "an action beside alternatives"),
        ("- {item: A, alternatives: [{title: x}, {title: x}]}", "another alternative is called “x”"),
        ("- {item: A, alternatives: [{run: ls}]}", "“title” is missing"),
        ("- {item: A, id: a, needs: a}", "an item cannot wait for itself"),
        ("- {item: A, id: a, items: [{item: B, needs: a}]}", "for the heading it stands under"),
        ("- {item: A, id: a, needs: b}\n- {item: B, id: b, needs: a}", "needs go round in a circle: a → b → a"),
        ("- {item: A, needs: 'gate:go'}", "no gate has the id “go”"),
        ("- {item: A, needs: 'check:target'}", "no item carries out the check “target”"),
        ("- {item: &x A}\n- {item: *x}", "the anchor &x is not supported"),
        ("- {item: &x A}\n- {item: *x}", "the alias *x is not supported"),
        ("- {item: !!python/object:os.system A}", "the tag tag:yaml.org,2002:python/object:os.system is not supported"),
        ("- {<<: {item: A}}", "unknown key “<<”"),
        ("- ? [a, b]\n  : c\n  item: A", "a key must be plain text"),
    ],
)
def test_each_mistake_has_its_complaint(text: str, complaint: str) -> None:
    found = complaints(source(text))
    assert any(complaint in line for line in found), found


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "c.yaml:1:1: the file is empty"),
        ("# only a comment\n", "c.yaml:1:1: the file is empty"),
        ("- a\n- b\n", "expected keys with values, beginning with checklist:"),
        ("just text", "expected keys with values"),
        ("a: b\n\tc: d\n", "c.yaml:2:1: a tab in the indentation"),
        ("a: [b\nc: d\n", "c.yaml:2:2: broken YAML"),
        ("a: 'b\n", "broken YAML"),
        ("a: b\n---\nc: d\n", "c.yaml:2:1: a second document begins here"),
        ("a: \x07b\n", "c.yaml:1:4: a character that YAML does not allow: U+0007"),
        ("checklist: T\nphases: []\n", "c.yaml:2:9: phases: is empty: a checklist has at least one phase"),
        ("checklist: T\n", "c.yaml:1:1: phases: “phases” is missing"),
        ("checklist: T\nformat: 2\nphases: []\n", "c.yaml:2:9: format: “2” is none of 1"),
        ("checklist: T\nphases: [{phase: P, at: T-0, sections: []}]\n", "a phase has at least one section"),
        ("checklist: T\nphases: [{phase: P, at: T-0, sections: [{section: S, items: []}]}]\n", "at least one item"),
        ("checklist: T\nphases: {a: b}\n", "phases: expected a list"),
        ("checklist: T\nphases: []\nvariables: {PATH: {default: x}}\n", "PATH steers every command"),
        ("checklist: T\nphases: []\nvariables: {a-b: {default: x}}\n", "letters, digits and underscores"),
        (
            "checklist: T\nphases: []\nvariables: {a: {default: x, secret: true}}\n",
            "a secret does not stand in the file",
        ),
        ("checklist: T\nphases: []\nvariables: {a: {default: '${b}'}}\n", "${b} is not declared"),
        ("checklist: T\nphases: []\nvariables: {a: {defalt: x}}\n", "(did you mean “default”?)"),
        ("checklist: T\nphases: []\nvariables: {a: x}\n", "variables.a: expected keys with values"),
        ("checklist: T\nphases: []\ntarget: {url: 'postgresql://u:pw@h/d'}\n", "a password stands in this file"),
        ("checklist: T\nphases: []\ntarget: {uri: x}\n", "unknown key “uri” (did you mean “url”?)"),
        ("checklist: T\nphases: []\nrequires: {postgres: '>=11'}\n", "(did you mean “postgresql”?)"),
        ("checklist: T\nphases: []\nrequires: {postgresql: new}\n", "“new” is no version"),
        ("checklist: T\nphases: []\nroles: [A, A]\n", "the role “A” stands here a second time"),
        ("checklist: T\nphases: []\nnotifications: [{on: [gat], to: x}]\n", "(did you mean “gate”?)"),
        (
            "checklist: T\nphases: []\ngates: [{gate: A, before: x}, {gate: A, before: x}]\n",
            "is already used in line 3",
        ),
        ("checklist: T\nphases: []\ntripwires: [{tripwire: A, run: ls, watch: 5s}]\n", "can be watched"),
    ],
)
def test_each_mistake_of_the_whole_file(text: str, complaint: str) -> None:
    found = complaints(text)
    assert any(complaint in line for line in found), found


def test_the_password_of_a_url_is_not_quoted_back() -> None:
    assert "hush" not in "".join(complaints("checklist: T\nphases: []\ntarget: {url: 'postgresql://u:hush@h/d'}\n"))


def test_text_that_is_not_utf_8_is_placed() -> None:
    assert complaints(b"checklist: T\nroles: [\xff]\n") == ["c.yaml:2:9: not UTF-8 text (byte 0xff)"]
    assert "not UTF-8" in complaints("checklist: T\n".encode("utf-16"))[0]


def test_a_byte_order_mark_is_no_problem() -> None:
    assert parse(b"\xef\xbb\xbf" + source("- item: A"), "c.yaml").title == "T"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_ends_in_a_complaint(opening: str) -> None:
    complaints("a: " + opening * 200_000 if opening != "- " else opening * 20_000)


def test_many_problems_are_counted_and_the_first_are_shown() -> None:
    text = "checklist: T\nphases: []\n" + "".join(f"k{n}: 1\n" for n in range(300))
    with pytest.raises(ChecklistError) as caught:
        parse(text.encode(), "c.yaml")
    assert len(caught.value.problems) == 301
    assert "and 201 more" in str(caught.value)


@settings(max_examples=150)
@given(st.data())
def test_any_damage_to_a_sound_file_is_loaded_or_refused(data: st.DataObject) -> None:
    text = source("- {item: A, id: a, run: ls, expect: {exit: 0}}\n- {item: B, needs: [a], sql: SELECT 1}\n")
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 30))
    noise = data.draw(st.binary(max_size=8) | st.sampled_from([b"\n", b": ", b"- ", b"[", b"}", b"'", b"null", b"\t"]))
    with contextlib.suppress(ChecklistError):
        parse(text[:at] + noise + text[at + length :], "c.yaml")


def test_a_file_is_loaded_with_its_very_bytes(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(source("- item: A") + b"# the end, in CRLF\r\n")
    loaded = load(path)
    assert (loaded.source, loaded.path) == (path.read_bytes(), path)
    assert loaded.sha256 == sha256_of(path)


@pytest.mark.parametrize("make", ["missing", "folder", "large", "forbidden", "markdown"])
def test_what_is_no_checklist_file_says_so(tmp_path: Path, make: str) -> None:
    path = tmp_path / ("c.md" if make == "markdown" else "c.yaml")
    if make == "folder":
        path.mkdir()
    elif make == "large":
        path.write_bytes(b"#" * (8 * 1024 * 1024 + 1))
    elif make == "forbidden":
        path.symlink_to(path)
    elif make == "markdown":
        path.write_text("- [ ] A")
    with pytest.raises(UsageError) as caught:
        load(path)
    assert str(path) in caught.value.title
    assert caught.value.remedy


def test_names_are_found_in_the_teams_folder_then_the_users_then_the_packs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_environment: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("prisma").name == "prisma.yaml"
    user = clean_environment / ".config" / "migconsole" / "checklists"
    for folder in (user, tmp_path / "checklists"):
        folder.mkdir(parents=True)
        (folder / "prisma.yaml").write_bytes(source("- item: A"))
        assert find("prisma") == folder / "prisma.yaml"
    assert find("./prisma.yaml") == Path("prisma.yaml")
    with pytest.raises(UsageError, match="did you mean “prisma”") as caught:
        find("prsma")
    assert "generic-sql" in caught.value.detail


def test_the_checklists_at_hand_are_listed_with_their_titles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text('# ours\n\n---\nchecklist: "Our \\"own\\"" # one\nbroken: [\n')
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    (tmp_path / "checklists").mkdir()
    (tmp_path / "checklists" / "x.yml").write_text("checklist: X\n")
    found = [(path.name, title) for path, title in available()]
    assert found[0][0] == "mine.yaml"
    assert found[0][1].startswith("Our")
    assert found[1:] == [
        ("x.yml", "X"),
        ("generic-sql.yaml", "SQL migration with psql"),
        ("prisma.yaml", "Prisma production migration"),
    ]


@pytest.mark.parametrize(
    ("restore", "says"),
    [
        (
            "boxes: {rol-drop: drop}",
            "c.yaml:10:48: rollback[0].items[1].restore.boxes.rol-drop: no line of",
        ),
        ("boxes: {rol-drop: drop}", "has the id “rol-drop” (did you mean “roll-drop”?)"),
        ("boxes: {first: drop}", "no line of the rollback procedure has the id “first”"),
        ("boxes: {back: drop}", "the restore does not replace itself"),
        ("boxes: {roll-drop: dropp}", "“dropp” is none of verify, drop, create (did you mean “drop”?)"),
        ("boxes: [roll-drop]", "boxes are written ID: ROLE"),
        ("prefer: [swap, in_place]", "restore.prefer[1]: “in_place” is none of swap"),
        (
            "prefer: swop",
            "restore.prefer: “swop” is none of swap, side-restore, in-place, revert, app-only",
        ),
    ],
)
def test_what_a_restore_item_names_is_looked_up_where_the_file_is_read(restore: str, says: str) -> None:
    text = f"""
checklist: T
phases:
  - phase: P
    at: T-0
    sections: [{{section: S, items: [{{item: A, id: first}}]}}]
rollback:
  - section: R
    items: [{{item: Drop, id: roll-drop}},
      {{item: Back, id: back, restore: {{{restore}}}}}]
"""
    with pytest.raises(UsageError) as caught:
        parse(text.encode(), "c.yaml")
    assert says in caught.value.detail
