"""What every check is made of: the probe it asks with, the findings it collects, and the registry it stands in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from migconsole.adapters.postgres.connect import Connection
from migconsole.adapters.postgres.queries import load
from migconsole.domain.expectation import Observation
from migconsole.domain.quantities import QuantityError, parse_duration, parse_size
from migconsole.domain.target import Target
from migconsole.domain.text import sanitise_line
from migconsole.engine.comparing import Past
from migconsole.engine.ports import CheckResult, ServerIdentity
from migconsole.errors import TargetError, UsageError


@dataclass(frozen=True, slots=True)
class Probe:
    """An open read-only session in the target, with what is already known about it.

    ``pinned`` is the identity the run compares with; ``project`` is where relative paths count from. ``past`` is what
    the run knows of earlier, None without a run; ``run`` names its sessions. ``sampling``: the run's watcher
    asks, whose samples are all there will be.
    """

    target: Target
    connection: Connection
    identity: ServerIdentity
    pinned: ServerIdentity
    project: Path
    past: Past | None = None
    run: str = ""
    sampling: bool = False

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        """The rows of a query of ``sql/``; raises TargetError where the server is too old for it."""
        text = load(query, self.identity.version_num)
        if text is None:
            raise TargetError(f"PostgreSQL {self.identity.version} cannot be asked this", query)
        found: list[Any] = await self.connection.fetch(text, *arguments)
        return found

    async def row(self, query: str, *arguments: Any) -> Any:
        """The first row."""
        return (await self.rows(query, *arguments))[0]

    def path(self, text: str) -> Path:
        """A path of the checklist: relative ones count from the project, ``~`` is the operator's home."""
        return self.project / Path(text).expanduser()

    @property
    def schema(self) -> str:
        """The schema that is meant when none is named: Prisma's ``schema``, else public."""
        return self.target.search_path or "public"


@dataclass(slots=True)
class Findings:
    """What a check found, in the order it looked. A thing that could not be seen is neither good nor bad."""

    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)

    def good(self, text: str) -> None:
        """As it should be."""
        self.lines.append(f"√ {sanitise_line(text)}")

    def bad(self, text: str) -> None:
        """Not as it should be: the check fails."""
        self.wrong.append(sanitise_line(text))
        self.lines.append(f"× {sanitise_line(text)}")

    def unknown(self, text: str) -> None:
        """Could not be seen: a person is asked."""
        self.unclear.append(sanitise_line(text))
        self.lines.append(f"? {sanitise_line(text)}")

    def note(self, text: str) -> None:
        """Worth knowing, without a judgement."""
        self.lines.append(f"  {sanitise_line(text)}")

    def result(self, values: Mapping[str, Any]) -> CheckResult:
        """The judgement: anything wrong fails, else anything unclear asks a person."""
        judgement = False if self.wrong else None if self.unclear else True
        reason = "; ".join(self.wrong or self.unclear)
        return CheckResult((Observation(values=dict(values)),), tuple(self.lines), judgement, reason)


@dataclass(frozen=True, slots=True)
class CheckDoc:
    """One line each for a check, its arguments and its values: for the schema, the help and error messages."""

    summary: str
    arguments: Mapping[str, str]
    values: Mapping[str, str]


CheckFunction = Callable[[Probe, Mapping[str, Any]], Awaitable[CheckResult]]
CHECKS: dict[str, CheckFunction] = {}
CHECK_DOCS: dict[str, CheckDoc] = {}


def check(
    name: str, summary: str, *, arguments: Mapping[str, str] | None = None, values: Mapping[str, str]
) -> Callable[[CheckFunction], CheckFunction]:
    """Register a function as the check ``name``."""

    def register(function: CheckFunction) -> CheckFunction:
        CHECKS[name] = function
        CHECK_DOCS[name] = CheckDoc(summary, arguments or {}, values)
        return function

    return register


def verify_arguments(name: str, arguments: Mapping[str, Any]) -> None:
    """Raise UsageError for an argument that the check does not have."""
    known = CHECK_DOCS[name].arguments
    for argument in arguments:
        if argument not in known:
            close = get_close_matches(argument, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"It takes {', '.join(known) or 'no arguments'}."
            raise UsageError(f"The check {name} has no argument “{argument[:40]}”", "", hint)


def counted(count: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "session"), counted(0, "session")
    ('1 session', '0 sessions')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def text(arguments: Mapping[str, Any], name: str, default: str = "") -> str:
    """A text argument."""
    value = arguments.get(name)
    return default if value is None else str(value)


def texts(arguments: Mapping[str, Any], name: str) -> list[str]:
    """A list argument; a single text is cut at commas and white space."""
    value = arguments.get(name)
    if value is None:
        return []
    return [str(entry) for entry in value] if isinstance(value, list | tuple) else str(value).replace(",", " ").split()


def number(arguments: Mapping[str, Any], name: str) -> float | None:
    """A numeric argument, None when it is not given."""
    value = arguments.get(name)
    if value is None or value == "":
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"The argument {name} is not a number") from None


def duration(arguments: Mapping[str, Any], name: str, default: float) -> float:
    """Seconds of an argument such as ``30s``; a bare number is seconds."""
    return _quantity(arguments, name, default, parse_duration)


def size(arguments: Mapping[str, Any], name: str, default: float) -> float:
    """Bytes of an argument such as ``100MB``; a bare number is bytes."""
    return _quantity(arguments, name, default, parse_size)


def _quantity(arguments: Mapping[str, Any], name: str, default: float, parse: Callable[[str], float]) -> float:
    value = arguments.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return float(parse(str(value)))
    except QuantityError as error:
        raise UsageError(f"The argument {name} cannot be read", f"{error}.") from None
