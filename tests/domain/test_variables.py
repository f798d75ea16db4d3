from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.checklist import Answer, Check, Manual, Run, Sql, Step, Variable
from migconsole.domain.expectation import parse
from migconsole.domain.variables import (
    MASK,
    Resolver,
    UnresolvedError,
    by_hand,
    effective,
    hook_script,
    is_reserved_name,
    is_secret_name,
    references,
    script_references,
    step_references,
)


def variable(name: str, **more: object) -> Variable:
    return Variable(name, **more)  # type: ignore[arg-type]


def resolver(*variables: Variable, **sources: dict[str, str]) -> Resolver:
    return Resolver({v.name: v for v in variables}, **sources)  # type: ignore[arg-type]


def test_captured_beats_variables_beat_env_file_beats_environment() -> None:
    everywhere: dict[str, dict[str, str]] = {
        "captured": {"x": "captured"},
        "given": {"x": "given"},
        "env_file": {"x": "file", "OTHER": "other file"},
        "environment": {"x": "environment"},
    }
    declared = variable("x", default="default", env="OTHER")
    order = []
    for dropped in ("captured", "given", "env_file"):
        order.append(resolver(declared, **everywhere).value("x"))
        del everywhere[dropped]
    order.append(resolver(declared, **everywhere).value("x"))
    order.append(resolver(variable("x"), env_file={"x": "file"}, environment={"x": "environment"}).value("x"))
    order.append(resolver(variable("x"), environment={"x": "environment"}).value("x"))
    assert order == ["captured", "given", "other file", "default", "file", "environment"]


def test_the_source_is_named() -> None:
    found = resolver(variable("hook", env="SLACK"), environment={"SLACK": "x"}).resolve("hook")
    assert found is not None
    assert found.source == "SLACK in the environment"


def test_every_unresolved_name_is_named_with_where_to_set_it() -> None:
    r = resolver(variable("dir"), variable("slack", env="SLACK_WEBHOOK", secret=True))
    with pytest.raises(UnresolvedError) as caught:
        r.expand("${dir} ${slack} ${MISSING}")
    assert caught.value.names == ("dir", "slack", "MISSING")
    assert "“dir” has no value; set it with --var dir=… or dir in the env file" in str(caught.value)
    assert "--var slack" not in str(caught.value)
    assert "SLACK_WEBHOOK in the env file or the environment" in str(caught.value)


def test_defaults_may_refer_to_others_but_not_to_themselves() -> None:
    r = resolver(variable("a", default="${b}/a"), variable("b", default="${HOME}/b"), environment={"HOME": "/h"})
    assert r.value("a") == "/h/b/a"
    loop = resolver(variable("a", default="${b}"), variable("b", default="x${a}"))
    with pytest.raises(UnresolvedError, match="a → b → a"):
        loop.expand("${a}")
    assert loop.value("a") is None


def test_values_from_outside_are_taken_as_they_are() -> None:
    assert resolver(environment={"X": "${Y}", "Y": "secret"}).expand("${X}") == "${Y}"


def test_an_escaped_reference_stays() -> None:
    r = resolver(environment={"x": "1"})
    assert r.expand("$${x} ${x} $x") == "${x} 1 $x"
    assert r.display("$${x} ${nowhere}") == "${x} ${nowhere}"
    assert references("$${x}") == ()


def test_secrets_are_masked_wherever_they_are_shown() -> None:
    r = resolver(
        variable("slack", secret=True, default="https://hooks/abc"),
        variable("url", default="postgresql://u:pw@db/x"),
        variable("built", default="curl ${slack}"),
        variable("plain", default="1"),
        environment={"GITHUB_TOKEN": "ghp_1", "CI_URL": "http://a:b@c", "HOME": "/h"},
    )
    assert r.display("${slack} ${url} ${built} ${plain} ${GITHUB_TOKEN}") == f"{MASK} {MASK} {MASK} 1 {MASK}"
    assert "abc" not in repr(r.resolve("slack"))
    assert set(r.secret_values()) == {
        "https://hooks/abc",
        "postgresql://u:pw@db/x",
        "curl https://hooks/abc",
        "ghp_1",
        "http://a:b@c",
    }


@pytest.mark.parametrize(
    "name", ["PASSWORD", "db_pass", "PGPASSWORD", "API_KEY", "key", "session_token", "CREDENTIALS"]
)
def test_names_that_look_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["monkey", "keyboard", "PGPASSFILE", "passenger", "backup_dir", "passage"])
def test_names_that_do_not(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("name", ["PATH", "PGHOST", "LD_PRELOAD", "BASH_ENV", "DATABASE_URL", "IFS"])
def test_names_that_would_bend_a_child_are_reserved(name: str) -> None:
    assert is_reserved_name(name)
    assert not is_reserved_name(name.lower())


def test_only_declared_names_of_a_script_are_ours() -> None:
    script = 'cd "${dir:?}" && for f in *.sql; do echo "${f%.sql}" $HOME \\$dir2; done; echo ${#dir} $dir'
    assert script_references(script, ["dir", "dir2"]) == ("dir",)


def test_a_step_names_everything_it_needs() -> None:
    assert step_references(Step(Run("echo $a $other"), cwd="${b}", env={"X": "${c}"}), ["a"]) == ("a", "b", "c")
    assert step_references(Step(Sql(("SELECT ${d}",))), []) == ("d",)
    assert step_references(Step(Check("x", {"tables": ["${e}", 1]})), []) == ("e",)
    assert step_references(Step(Answer("path", "Where is ${f}?", default="${g}")), []) == ("f", "g")


def test_a_script_is_given_what_it_uses_and_nothing_else() -> None:
    r = resolver(variable("a", default="1"), variable("b", default="2"), variable("t", default="x", secret=True))
    exported = r.exports(Step(Run("echo $a"), env={"EXTRA": "${t}-${b}"}))
    assert [(v.name, v.text, v.secret) for v in exported] == [("a", "1", False), ("EXTRA", "x-2", True)]


def test_what_a_hooks_command_uses_is_exported_too() -> None:
    r = resolver(variable("stop", default="systemctl stop $unit"), variable("unit", default="app"))
    step = Step(Run(hook_script("stop"), hook="stop"))
    assert {v.name: v.text for v in r.exports(step)} == {"stop": "systemctl stop $unit", "unit": "app"}
    assert r.hooks(step.action.script) == ("stop",)  # type: ignore[union-attr]
    assert r.unresolved(Step(Run("echo $x"))) == ()
    assert len(resolver(variable("x")).unresolved(Step(Run("echo $x"), cwd="${y}"))) == 2


def test_a_hook_without_a_command_is_done_by_hand() -> None:
    step = Step(Run(hook_script("stop"), hook="stop"), expect=parse({"exit": 0}, "run"))
    empty, full = resolver(variable("stop", default="")), resolver(variable("stop", default="true"))
    assert effective(step, empty) == Step(Manual())
    assert "--var stop=" in by_hand(step, empty)
    assert effective(step, full) is step
    assert by_hand(step, full) == ""


def test_a_question_is_asked_with_todays_values() -> None:
    r = resolver(variable("dir", default="/b"), variable("t", default="x", secret=True))
    asked = effective(Step(Answer("path", "In ${dir}?", default="${dir}/x", variable="dir")), r).action
    assert asked == Answer("path", "In /b?", default="/b/x", variable="dir")
    hidden = effective(Step(Answer("text", "${t} ${later}?", default="${t}")), r).action
    assert hidden == Answer("text", f"{MASK} ${{later}}?", default="")


@pytest.mark.parametrize("arguments", [[], ["it's", "a b", "$HOME", '"; exit 3; "']])
def test_a_hook_runs_its_command_with_its_arguments_unharmed(tmp_path: Path, arguments: list[str]) -> None:
    program = tmp_path / "show"
    program.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    program.chmod(0o700)
    script = hook_script("tell", arguments)
    done = subprocess.run(
        ["bash", "-c", script], env={"tell": str(program)}, capture_output=True, text=True, timeout=20
    )
    assert done.stdout.split("\n")[:-1] == (arguments or [""])


def test_a_hook_run_without_a_command_fails_rather_than_passing() -> None:
    for environment in ({}, {"tell": ""}):
        done = subprocess.run(["bash", "-c", hook_script("tell")], env=environment, capture_output=True, timeout=20)
        assert done.returncode != 0


def test_a_command_is_shown_with_its_values_beside_it_and_a_hook_as_its_command() -> None:
    r = resolver(variable("dir", default="my backups"), variable("key", default="hush"), variable("t", default="./t"))
    assert r.display_script(Step(Run('ls "$dir" $key'))) == f"dir='my backups'\nkey={MASK}\nls \"$dir\" $key"
    assert r.display_script(Step(Run(hook_script("t", ["a b"]), hook="t"))) == "./t 'a b'"
    assert r.display_script(Step(Run(hook_script("t"), hook="t"))) == "./t"
    assert resolver(variable("u")).display_script(Step(Run(hook_script("u"), hook="u"))) == "${u}"


def test_a_value_in_sql_is_a_literal_whatever_it_holds() -> None:
    r = resolver(environment={"n": "o'brien'; DROP TABLE x; --", "b": "a\\'b", "TOKEN": "hush"})
    assert r.expand_sql("SELECT ${n}") == "SELECT 'o''brien''; DROP TABLE x; --'"
    assert r.expand_sql("SELECT ${b}") == "SELECT  E'a\\\\''b'"
    assert r.expand_sql("SELECT ${TOKEN}", masked=True) == f"SELECT '{MASK}'"


def test_arguments_are_expanded_in_depth() -> None:
    r = resolver(environment={"a": "1", "TOKEN": "t"})
    assert r.expand_value({"x": ["${a}", 2], "y": "${TOKEN}"}) == {"x": ["1", 2], "y": "t"}
    assert r.expand_value({"y": "${TOKEN}"}, masked=True) == {"y": MASK}


@given(st.text(), st.dictionaries(st.sampled_from(["a", "b", "TOKEN"]), st.text()))
def test_any_text_expands_unless_a_name_is_missing(text: str, environment: dict[str, str]) -> None:
    r = resolver(environment=environment)
    r.display(text)
    if set(references(text)) <= set(environment):
        r.expand(text)
    else:
        with pytest.raises(UnresolvedError):
            r.expand(text)
