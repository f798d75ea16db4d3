"""What a person may answer to an item that takes a value: checked by type, kept in one readable form."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from migconsole.domain.quantities import QuantityError, format_duration, format_size, parse_duration, parse_size
from migconsole.domain.timetable import window

TYPES = ("text", "number", "size", "duration", "window", "path", "url", "choice", "yes-no")

FORMS = {
    "text": "a text",
    "number": "a number, such as 42 or 0.5",
    "size": "a size, such as 41GB",
    "duration": "a duration, such as 1h30m",
    "window": "start and length in UTC, such as 2026-11-22T23:00Z 3h",
    "path": "a path",
    "url": "an address, such as https://status.example.com",
    "choice": "one of the choices",
    "yes-no": "yes or no",
}
"""What to ask for, in words, by type."""

_WINDOW = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::\d\d)?Z?\s+(?:for\s+)?(\S+)")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


class AnswerError(ValueError):
    """An answer that is not of its type; the message says what is expected."""


def check_answer(kind: str, text: str, choices: Sequence[str] = ()) -> str:
    """The answer in its recorded form. Raises AnswerError.

    >>> check_answer("size", "41gb"), check_answer("yes-no", "Y"), check_answer("duration", "90m")
    ('41.0 GB', 'yes', '1h30m')
    """
    text = text.strip()
    if not text:
        raise AnswerError(f"an answer is needed: {FORMS.get(kind, 'a text')}")
    if _CONTROL.search(text):
        raise AnswerError(f"expected {FORMS.get(kind, 'a text')} on one line, without control characters")
    try:
        return _ANSWERS.get(kind, _text)(text, choices)
    except (QuantityError, ValueError) as error:
        raise AnswerError(f"expected {FORMS.get(kind, 'a text')}: {error}") from None


def _text(text: str, choices: Sequence[str]) -> str:
    return text


def _number(text: str, choices: Sequence[str]) -> str:
    if "_" in text or not math.isfinite(float(text)):
        raise ValueError("no number that can be compared")
    return text


def _size(text: str, choices: Sequence[str]) -> str:
    return format_size(parse_size(text))


def _duration(text: str, choices: Sequence[str]) -> str:
    return format_duration(parse_duration(text))


def _window(text: str, choices: Sequence[str]) -> str:
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError("start and length are needed")
    answer = f"{match[1]}T{match[2]}Z {format_duration(parse_duration(match[3]))}"
    window(answer)
    return answer


def _url(text: str, choices: Sequence[str]) -> str:
    if not _URL.fullmatch(text):
        raise ValueError("no address")
    return text


def _choice(text: str, choices: Sequence[str]) -> str:
    for choice in choices:
        if choice.lower() == text.lower():
            return choice
    raise ValueError(", ".join(choices))


def _yes_no(text: str, choices: Sequence[str]) -> str:
    word = {"y": "yes", "yes": "yes", "n": "no", "no": "no"}.get(text.lower())
    if word is None:
        raise ValueError("neither yes nor no")
    return word


_ANSWERS = {
    "text": _text,
    "number": _number,
    "size": _size,
    "duration": _duration,
    "window": _window,
    "path": _text,
    "url": _url,
    "choice": _choice,
    "yes-no": _yes_no,
}
