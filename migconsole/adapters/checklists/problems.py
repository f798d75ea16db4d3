"""What is wrong with a checklist file: every problem, where it stands, and the nearest right spelling."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from migconsole.errors import UsageError

SHOWN = 100
"""Problems listed in an error's text; ``ChecklistError.problems`` holds them all."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One problem. ``line`` and ``column`` count from 1; ``path`` is like ``phases[0].sections[1].items[3].expect``."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {place}{self.message}"


class ChecklistError(UsageError):
    """A checklist file that cannot be used; ``problems`` are sorted by their place in the file."""

    def __init__(self, file: str, problems: Iterable[Problem], remedy: str = "") -> None:
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        lines = [str(problem) for problem in self.problems[:SHOWN]]
        if count > SHOWN:
            lines.append(f"… and {count - SHOWN} more")
        super().__init__(
            f"{file} has {'a problem' if count == 1 else f'{count} problems'}",
            "\n".join(lines),
            remedy or "Every key is described in docs/checklist-format.md; `migconsole check FILE` reads it again.",
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """The most similar known name, or "" when none is similar enough."""
    candidates: Sequence[str] = sorted(set(known))
    near = difflib.get_close_matches(name.lower(), candidates, n=1, cutoff=0.6)
    if not near:
        near = [c for c in candidates if name and (c.startswith(name.lower()) or name.lower().startswith(c))][:1]
    return near[0] if near else ""


def suggest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean “x”?)`` with the nearest spelling, or "".

    >>> suggest("titel", ["title", "items"])
    ' (did you mean “title”?)'
    """
    near = nearest(name, known)
    return f" (did you mean “{near}”?)" if near else ""
