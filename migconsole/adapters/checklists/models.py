"""The file format as pydantic models: one place for its keys, their forms and the JSON Schema.

Only the shape is judged here; what needs the whole file (ids, needs, variables) is judged in ``convert``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from migconsole.domain.quantities import parse_duration, parse_offset

CHECKS_NOW = (
    "backup_planned",
    "backup_stored",
    "backup_tools",
    "baseline",
    "connection_pool",
    "connections",
    "data_corruption",
    "disk_free",
    "foreign_keys",
    "host_resources",
    "index_usage",
    "instability",
    "migration_doctor",
    "migrations",
    "query_performance",
    "regression",
    "response_time",
    "restore_point",
    "reviewed_files",
    "rollback_feasible",
    "schema_fingerprint",
    "server_health",
    "server_log",
    "server_version",
    "slow_queries",
    "table_sizes",
    "tables_exist",
    "target",
)
CHECKS_LATER: tuple[str, ...] = ()
CHECKS = (*CHECKS_NOW, *CHECKS_LATER)
"""Built-in checks; those of ``CHECKS_LATER`` load and say “not available yet” when they are run."""

JOBS_NOW: tuple[str, ...] = ("backup", "prove", "review", "lint", "restore", "drill", "notify", "http")
JOBS_LATER: tuple[str, ...] = ()
JOBS = (*JOBS_NOW, *JOBS_LATER)
"""Built-in jobs; one is of ``JOBS_NOW`` when the command line has its command (``migconsole.domain.commands``)."""

OCCASIONS = (
    "alarm",
    "failed",
    "finished",
    "gate",
    "hold",
    "late",
    "phase",
    "regressed",
    "rollback",
    "safe-abort-near",
    "tripwire",
)
"""What a notification can be sent on."""

ANSWER_TYPES = ("text", "number", "size", "duration", "window", "path", "url", "choice", "yes-no")


def _duration(value: Any) -> float:
    if not isinstance(value, str):
        raise ValueError("expected a duration such as 90s, 4m, 1h30m or 2d")
    return parse_duration(value)


def _offset(value: Any) -> float:
    if not isinstance(value, str):
        raise ValueError("expected an offset such as T-1d, T-0 or T+15m")
    return parse_offset(value)


def _script(value: Any) -> str:
    """A block stands as written; a list is carried out line by line and stops at the first line that fails."""
    if isinstance(value, str) and value.strip():
        return value.rstrip("\n")
    lines = _texts(value, "commands")
    return lines[0] if len(lines) == 1 else "\n".join(["set -e", *lines])


def _statements(value: Any) -> tuple[str, ...]:
    return (value.strip(),) if isinstance(value, str) and value.strip() else _texts(value, "statements")


def _hook(value: Any) -> tuple[str, ...]:
    return (value.strip(),) if isinstance(value, str) and value.strip() else _texts(value, "a variable and arguments")


def _names(value: Any) -> tuple[str, ...]:
    return (value.strip(),) if isinstance(value, str) and value.strip() else _texts(value, "names") if value else ()


def _texts(value: Any, what: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) and v.strip() for v in value):
        raise ValueError(f"expected text or a list of {what}")
    return tuple(v.strip() for v in value)


def _check(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value:
        return {"name": str(value)}
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return value
    raise ValueError("expected the name of a check, or a mapping with name: and its arguments")


def _arguments(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise ValueError("expected arguments as keys with values, or nothing")


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("is empty")
    return value


def _text(value: Any) -> Any:
    return "" if value is None else value


_TEXT_OR_LIST = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
_DURATION_SCHEMA = {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d) ?)+$", "examples": ["90s", "4m", "1h30m"]}
_OFFSET_SCHEMA = {
    "type": "string",
    "pattern": r"^T([-+](0|(\d+(\.\d+)?(ms|s|m|h|d) ?)+))?$",
    "examples": ["T-1d", "T-0", "T+15m"],
}
_CHECK_SCHEMA = {
    "anyOf": [
        {"enum": list(CHECKS)},
        {"type": "object", "properties": {"name": {"enum": list(CHECKS)}}, "required": ["name"]},
    ]
}


def _schema(before: Callable[[Any], Any], schema: dict[str, Any]) -> tuple[BeforeValidator, WithJsonSchema]:
    return BeforeValidator(before), WithJsonSchema(schema)


Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=r"^[^\r\n]*$")]
Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})]
Id = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")] | None, BeforeValidator(_given)
]
Duration = Annotated[float | None, *_schema(_duration, _DURATION_SCHEMA)]
Offset = Annotated[float, *_schema(_offset, _OFFSET_SCHEMA)]
Script = Annotated[str | None, *_schema(_script, _TEXT_OR_LIST)]
Statements = Annotated[tuple[str, ...] | None, *_schema(_statements, _TEXT_OR_LIST)]
Hook = Annotated[tuple[str, ...] | None, *_schema(_hook, _TEXT_OR_LIST)]
Names = Annotated[tuple[str, ...], *_schema(_names, _TEXT_OR_LIST)]
CheckForm = Annotated[dict[str, Any] | None, *_schema(_check, _CHECK_SCHEMA)]
Arguments = Annotated[dict[str, Any] | None, *_schema(_arguments, {"type": ["object", "null"]})]
Expect = Annotated[
    dict[str, Any] | None, BeforeValidator(_given), WithJsonSchema({"type": "object", "minProperties": 1})
]
DangerWord = Annotated[Literal["read", "mutating", "destructive"] | None, BeforeValidator(_given)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, revalidate_instances="never")


class TargetModel(_Model):
    """The database that the run works on."""

    url: Text = Field("${DATABASE_URL}", description="Connection URL; name a variable, never a password.")
    environment: Title = Field("production", description="Colours the banner and sets the confirmation tiers.")
    password_command: Text = Field("", description="A command that prints the password.")


class VariableModel(_Model):
    """A value that ${name} stands for."""

    default: Text | None = Field(None, description="Used when nothing else gives a value; may be empty.")
    env: str = Field("", description="The environment variable (or env file entry) that holds it.")
    ask: bool = Field(False, description="Ask for it when the run is opened.")
    secret: bool = Field(False, description="Never shown, never stored.")
    help: str = Field("", description="What it is for.")


class AnswerModel(_Model):
    """A value that a person gives; a tick is not accepted."""

    type: Literal["text", "number", "size", "duration", "window", "path", "url", "choice", "yes-no"] = Field(
        "text", description="What kind of value."
    )
    ask: Title = Field(description="The question.")
    choices: Names = Field((), description="For type choice.")
    default: Text = Field("", description="Offered as the answer.")
    variable: str = Field("", description="The variable that takes the value.")


AnswerForm = Annotated[AnswerModel | None, BeforeValidator(_given)]


class StepModel(_Model):
    """What an item does. At most one action; none means that a person does it and attests it."""

    run: Script = Field(None, description="Shell: a block as written, or a list that stops at a failing line.")
    hook: Hook = Field(None, description="The variable that holds the command; more entries are its arguments.")
    sql: Statements = Field(None, description="One SELECT, WITH, VALUES, TABLE or SHOW; or a list of them.")
    check: CheckForm = Field(None, description="A built-in check, with arguments if it takes any.")
    answer: AnswerForm = Field(None, description="A question that a person answers with a value.")
    backup: Arguments = Field(None, description="Take a backup.")
    prove: Arguments = Field(None, description="Prove a backup by restoring it.")
    review: Arguments = Field(None, description="Review the migration files.")
    lint: Arguments = Field(None, description="Lint the migration files.")
    restore: Arguments = Field(None, description="Restore the database.")
    drill: Arguments = Field(None, description="Rehearse backup and restore.")
    notify: Arguments = Field(None, description="Send a message.")
    http: Arguments = Field(None, description="Ask a web address.")
    danger: DangerWord = Field(None, description="May raise what the classifier concludes, never lower it.")
    timeout: Duration = Field(None, description="Reads are stopped after it; what changes things only alarms.")
    lock_timeout: Duration = Field(None, description="How long a lock is waited for on the server.")
    expect: Expect = Field(None, description="What must be seen; without it a person is asked.")
    capture: dict[str, str] = Field({}, description="Variable to pattern: first group of the last match in the output.")
    tty: bool = Field(True, description="false gives pipes instead of a terminal.")
    interactive: bool = Field(False, description="Gets the real terminal; its output is not kept.")
    cwd: str = Field("", description="Working directory, relative to the project.")
    env: dict[str, Text] = Field({}, description="Additions to the command's environment.")
    url: Literal["clean", "original"] = Field("clean", description="Which form of DATABASE_URL the command gets.")


class AlternativeModel(StepModel):
    """One of several ways of doing an item."""

    title: Title = Field(description="How it is called when the operator chooses.")


class ItemModel(StepModel):
    """One line to be done, or a heading with items of its own."""

    item: Title = Field(description="The line as it is read out.")
    id: Id = Field(None, description="Stable name; default: the slug of the heading path.")
    alternatives: tuple[AlternativeModel, ...] = Field((), description="Several ways of doing it; the operator picks.")
    items: tuple[ItemModel, ...] = Field((), description="Nested items; the heading's state follows them.")
    optional: bool = Field(False, description="May stay undone.")
    required: bool = Field(False, description="Can be neither skipped nor declared not applicable.")
    needs: Names = Field((), description="Items, checks or gates that must be done before.")
    estimate: Duration = Field(None, description="How long it is expected to take.")
    watch: Duration = Field(None, description="Re-evaluate a check or query this often.")
    schedule: tuple[Offset, ...] = Field((), description="Evaluate a check or query at these times: T+1h, T+4h.")
    help: str = Field("", description="More about it, for the item pane.")


class SectionModel(_Model):
    """A heading with items."""

    section: Title = Field(description="The heading.")
    mode: Literal["read-do", "do-confirm"] = Field("do-confirm", description="In order one at a time, or in any order.")
    items: tuple[ItemModel, ...] = Field(description="The items, in order.", json_schema_extra={"minItems": 1})


class PhaseModel(_Model):
    """A part of the run at an offset from T-0."""

    phase: Title = Field(description="The heading.")
    at: Offset = Field(description="When, relative to T-0: T-1d, T-0, T+15m.")
    sections: tuple[SectionModel, ...] = Field(description="The sections, in order.", json_schema_extra={"minItems": 1})


class TripwireModel(StepModel):
    """A “roll back if …” criterion; without an action a person trips it."""

    tripwire: Title = Field(description="The criterion.")
    id: Id = Field(None, description="Stable name; default: the slug of the criterion.")
    watch: Duration = Field(None, description="Evaluate it this often.")
    clock: Literal["last-safe-abort", "window-end"] | None = Field(None, description="The limit that trips it.")


class GateModel(_Model):
    """A go/no-go poll of the roles."""

    gate: Title = Field(description="What is decided.")
    id: Id = Field(None, description="Stable name for needs: gate:ID.")
    before: Title = Field(description="The phase, section or item it stands before, by title or id.")
    roles: Names = Field((), description="Who votes; default: all roles.")


class NotificationModel(_Model):
    """Who is told what."""

    on: Names = Field(description=f"Any of {', '.join(OCCASIONS)}.")
    to: Title = Field(description="The service's address; name a secret variable.")


class ChecklistModel(_Model):
    """A migconsole checklist."""

    checklist: Title = Field(description="The checklist's title.")
    format: Annotated[Literal["1"], WithJsonSchema({"const": 1})] = Field(
        "1", description="The version of this format."
    )
    requires: dict[str, Title] = Field({}, description="What it needs, such as postgresql: '>=11'.")
    target: TargetModel = Field(TargetModel(), description="The database.")  # type: ignore[call-arg]
    env_file: str = Field("", description="A file of NAME=value lines, read if present.")
    roles: Names = Field((), description="Who votes at gates and signs off.")
    variables: dict[str, VariableModel] = Field({}, description="The values that ${name} stands for.")
    phases: tuple[PhaseModel, ...] = Field(description="What is done, in order.", json_schema_extra={"minItems": 1})
    tripwires: tuple[TripwireModel, ...] = Field((), description="When to roll back.")
    rollback: tuple[SectionModel, ...] = Field((), description="How to roll back.")
    gates: tuple[GateModel, ...] = Field((), description="Go/no-go polls.")
    notifications: tuple[NotificationModel, ...] = Field((), description="Who is told what.")
    alarms: Arguments = Field({}, description="Thresholds of the health alarms.")
    pooler: Arguments = Field({}, description="How connections are held back at a pooler.")
    approval: bool = Field(False, description="Nothing is changed before a named person approved the plan.")
    abort_notice: Duration = Field(
        None, description="How long before the last safe abort everybody is told that it is near; default 10m."
    )


CONTAINERS: dict[str, type[BaseModel]] = {
    "": ChecklistModel,
    "target": TargetModel,
    "variables": VariableModel,
    "phases": PhaseModel,
    "sections": SectionModel,
    "rollback": SectionModel,
    "items": ItemModel,
    "alternatives": AlternativeModel,
    "answer": AnswerModel,
    "tripwires": TripwireModel,
    "gates": GateModel,
    "notifications": NotificationModel,
}
"""The model that describes the entries found under a key."""
