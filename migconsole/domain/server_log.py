"""PostgreSQL's own log as entries: severity, time, text, whatever its format, prefix and language.

A log holds whatever clients sent, so nothing here trusts a line: patterns are bounded, a line that fits nothing belongs
to the entry before it, and a severity in a language nobody told us of is unknown, never harmless.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from enum import IntEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LONGEST = 4_000
"""Characters of a message that are kept."""

MOST_DETAILS = 20
_HEAD = 600
"""Characters of a line in which its prefix is looked for."""


class Severity(IntEnum):
    """How bad an entry is; UNKNOWN where the word for it is not known."""

    UNKNOWN = -1
    LOG = 0
    WARNING = 1
    ERROR = 2
    FATAL = 3
    PANIC = 4


WORDS = {
    **dict.fromkeys(("DEBUG", *(f"DEBUG{n}" for n in range(1, 6)), "LOG", "INFO", "NOTICE", "HINWEIS"), Severity.LOG),
    **dict.fromkeys(("WARNING", "WARNUNG", "ATTENTION", "ADVERTENCIA", "ПРЕДУПРЕЖДЕНИЕ"), Severity.WARNING),
    **dict.fromkeys(("ERROR", "FEHLER", "ERREUR", "ОШИБКА"), Severity.ERROR),
    **dict.fromkeys(("FATAL", "ВАЖНО"), Severity.FATAL),
    **dict.fromkeys(("PANIC", "PANIK", "ПАНИКА"), Severity.PANIC),
}
"""Severities in English, German, French, Spanish and Russian: the server writes them in ``lc_messages``."""

_DETAILS = frozenset(
    (
        *("DETAIL", "HINT", "QUERY", "CONTEXT", "LOCATION", "STATEMENT", "BACKTRACE"),
        *("TIPP", "ANFRAGE", "ZUSAMMENHANG", "ORT", "ANWEISUNG"),
        *("DÉTAIL", "ASTUCE", "REQUÊTE", "CONTEXTE", "EMPLACEMENT", "INSTRUCTION"),
        *("DETALLE", "SUGERENCIA", "CONSULTA", "CONTEXTO", "UBICACIÓN", "SENTENCIA"),
        *("ПОДРОБНОСТИ", "ПОДСКАЗКА", "ЗАПРОС", "КОНТЕКСТ", "ПОЛОЖЕНИЕ", "ОПЕРАТОР"),
    )
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One message. ``at`` is Unix seconds, None where the prefix has no time; other fields are "" where it has none."""

    severity: Severity
    text: str
    at: float | None = None
    word: str = ""
    application: str = ""
    database: str = ""
    user: str = ""
    code: str = ""
    pid: str = ""
    details: tuple[str, ...] = field(default=())


def severity_of(word: str, code: str = "") -> Severity:
    """A severity by its word; one in an unknown language by its SQLSTATE, which has none.

    >>> severity_of("FEHLER"), severity_of("VIRHE", "23505"), severity_of("VIRHE")
    (<Severity.ERROR: 2>, <Severity.ERROR: 2>, <Severity.UNKNOWN: -1>)
    """
    found = WORDS.get(word.strip().upper())
    if found is not None:
        return found
    if re.fullmatch(r"[0-9A-Z]{5}", code):
        return (
            Severity.LOG if code.startswith("00") else Severity.WARNING if code[:2] in ("01", "02") else Severity.ERROR
        )
    return Severity.UNKNOWN


def zone_of(name: str) -> tzinfo:
    """The time zone of ``log_timezone``; UTC for one that this host does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def moment(text: str, zone: tzinfo) -> float | None:
    """Unix seconds of a time as the log writes it, whose zone is that of ``log_timezone`` and not its abbreviation.

    >>> moment("2026-11-25 18:00:00.250 CET", zone_of("Europe/Berlin"))
    1795626000.25
    """
    match = re.match(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?)", text)
    if match is None:
        return None
    try:
        return datetime.fromisoformat(f"{match[1]} {match[2]}").replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return None


# -- plain lines -------------------------------------------------------------------------------------------------------

_TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? [A-Za-z0-9+\-:]{1,8}"
_FIXED = {
    letter: re.compile(pattern)
    for letter, pattern in {
        "m": _TIME,
        "t": _TIME,
        "s": _TIME,
        "n": r"\d{9,11}(?:\.\d{1,6})?",
        "p": r"\d{1,10}",
        "P": r"\d{0,10}",
        "e": r"[0-9A-Z]{5}",
        "c": r"[0-9a-f]{1,16}\.[0-9a-f]{1,8}",
        "l": r"\d{1,20}",
        "v": r"[0-9/]{0,32}",
        "x": r"\d{1,10}",
        "Q": r"-?\d{1,20}",
    }.items()
}
_FREE = frozenset("udabrhLi")
_NAMES = {
    "m": "time",
    "t": "time",
    "n": "epoch",
    "p": "pid",
    "e": "code",
    "u": "user",
    "d": "database",
    "a": "application",
}
_WORD = re.compile(r"([^\W\d_]\w{1,24}):  ")
_ANY_TIME = re.compile(_TIME)
_LONGEST_NAME = 96
"""Characters a name may take: PostgreSQL's have 63 bytes, host names and command tags may have a few more."""


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before a message: its fields, the severity's word, and where the message begins."""

    fields: Mapping[str, str]
    word: str
    begins: int


@lru_cache(maxsize=16)
def _tokens(prefix: str) -> tuple[tuple[str, str], ...]:
    """``log_line_prefix`` as (letter, "") and ("", plain text); a width means blanks around, which are skipped."""
    found: list[tuple[str, str]] = []
    for match in re.finditer(r"%-?\d{0,3}(.)|([^%]+)", prefix[:200], re.DOTALL):
        letter, plain = match[1], match[2]
        if plain is not None or letter == "%":
            plain = plain or "%"
            if found and not found[-1][0]:
                found[-1] = ("", found[-1][1] + plain)
            else:
                found.append(("", plain))
        elif letter in _FREE or letter in _FIXED or letter == "q":
            found.append((letter, ""))
    return tuple(found)


def head_of(line: str, prefix: str) -> Head | None:
    """What stands before the message of a line; None for a line that begins none.

    A name ends where the text after it in the prefix is found first; nothing is tried twice, because clients choose
    what stands here. Where the prefix does not fit, the first word that looks like a severity is taken.

    >>> head_of("2026-11-25 18:00:00.250 UTC [42] ERROR:  no such table", "%m [%p] ").word
    'ERROR'
    """
    line = line[:_HEAD]
    fields: dict[str, str] = {}
    position, session = 0, -1
    tokens = _tokens(prefix)
    for number, (letter, plain) in enumerate(tokens):
        if letter == "q":
            session = position
            continue
        following = tokens[number + 1][1] if number + 1 < len(tokens) else ""
        end = _after(line, position, letter, plain, following, last=number + 2 >= len(tokens))
        if end is None:
            break
        if letter in _NAMES and end > position:
            fields.setdefault(_NAMES[letter], line[position:end].strip())
        position = end
    else:
        if found := _WORD.match(line, position):
            return Head(fields, found[1], found.end())
    if session >= 0 and (found := _WORD.match(line, session)):
        return Head(
            {name: value for name, value in fields.items() if name in ("time", "epoch", "pid")}, found[1], found.end()
        )
    return _guessed(line, fields)


def _after(line: str, position: int, letter: str, plain: str, following: str, *, last: bool) -> int | None:
    """Where one part of the prefix ends that begins at ``position``; None where it does not fit."""
    if not letter:
        return position + len(plain) if line.startswith(plain, position) else None
    while position < len(line) and line[position] == " ":
        position += 1
    if letter in _FIXED:
        found = _FIXED[letter].match(line, position)
        end = found.end() if found else None
    else:
        end = _name_end(line, position, following, last)
    if end is not None and not following.startswith(" "):
        while end < len(line) and line[end] == " " and following and not line.startswith(following, end):
            end += 1
    return end


def _name_end(line: str, position: int, following: str, last: bool) -> int | None:
    limit = position + _LONGEST_NAME
    if last:
        # Before the severity a name may hold the text that ends it, as "web app" does.
        for found in _WORD.finditer(line, position, min(len(line), limit + 32)):
            if line.endswith(following, position, found.start()):
                return found.start() - len(following)
        return None
    end = line.find(following, position, limit) if following else position
    return end if end >= 0 else None


def _guessed(line: str, fields: Mapping[str, str]) -> Head | None:
    """A line whose prefix does not fit: the first word that is a severity, and a time before it."""
    for found in _WORD.finditer(line):
        word = found[1].upper()
        if word in WORDS or word in _DETAILS:
            time = _ANY_TIME.search(line, 0, found.start())
            known = {"time": time[0]} if time else {name: fields[name] for name in ("time", "epoch") if name in fields}
            return Head(known, found[1], found.end())
    return None


def plain_entries(lines: Iterable[str], prefix: str, zone: tzinfo) -> Iterator[Entry]:
    """Entries of a log of destination stderr; lines before the first whole entry are left out."""
    current: Entry | None = None
    for line in lines:
        head = None if line.startswith("\t") else head_of(line, prefix)
        if head is None:
            if current is not None and line.strip():
                current = _with_detail(current, line.strip())
            continue
        word, rest, found = head.word, line[head.begins : head.begins + LONGEST], head.fields
        if word.upper() in _DETAILS:
            if current is not None:
                current = _with_detail(current, f"{word}: {rest}")
            continue
        if current is not None:
            yield current
        code = found.get("code", "")
        current = Entry(
            severity_of(word, code),
            rest.strip(),
            _at(found, zone),
            word,
            found.get("application", ""),
            found.get("database", ""),
            found.get("user", ""),
            code,
            found.get("pid", ""),
        )
    if current is not None:
        yield current


def _at(found: Mapping[str, str], zone: tzinfo) -> float | None:
    if epoch := found.get("epoch"):
        return float(epoch)
    return moment(found.get("time", ""), zone)


def _with_detail(entry: Entry, line: str) -> Entry:
    if len(entry.details) >= MOST_DETAILS:
        return entry
    return replace(entry, details=(*entry.details, line[:LONGEST]))


# -- csv and json ------------------------------------------------------------------------------------------------------

_CSV_START = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [A-Za-z0-9+\-:]{1,8},", re.MULTILINE)
_CSV_LEAST = 23


def csv_entries(text: str, zone: tzinfo) -> Iterator[Entry]:
    """Entries of a csvlog; what stands before the first record that begins in ``text`` is left out."""
    start = _CSV_START.search(text)
    if start is None:
        return
    # A field may be longer than the module allows by default: a client's statement.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    try:
        for row in csv.reader(text[start.start() :].splitlines(keepends=True), strict=False):
            if len(row) < _CSV_LEAST or moment(row[0], zone) is None:
                continue
            parts = (("DETAIL", row[14]), ("HINT", row[15]), ("CONTEXT", row[18]), ("STATEMENT", row[19]))
            yield Entry(
                severity_of(row[11], row[12]),
                row[13][:LONGEST],
                moment(row[0], zone),
                row[11],
                row[22],
                row[2],
                row[1],
                row[12],
                row[3],
                _details(parts),
            )
    except csv.Error:
        return


def json_entries(lines: Iterable[str], zone: tzinfo) -> Iterator[Entry]:
    """Entries of a jsonlog (PostgreSQL 15 and later); a line that is cut is left out."""
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if not isinstance(row, dict) or "error_severity" not in row:
            continue
        code = str(row.get("state_code", ""))
        names = (("DETAIL", "detail"), ("HINT", "hint"), ("CONTEXT", "context"), ("STATEMENT", "statement"))
        yield Entry(
            severity_of(str(row["error_severity"]), code),
            str(row.get("message", ""))[:LONGEST],
            moment(str(row.get("timestamp", "")), zone),
            str(row["error_severity"]),
            str(row.get("application_name", "")),
            str(row.get("dbname", "")),
            str(row.get("user", "")),
            code,
            str(row.get("pid", "")),
            _details([(title, str(row.get(name) or "")) for title, name in names]),
        )


def _details(parts: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{title}: {text[:LONGEST]}" for title, text in parts if text)


def entries(data: str, destination: str, prefix: str, zone: tzinfo) -> list[Entry]:
    """Entries of a piece of a log by its destination: stderr, csvlog or jsonlog."""
    if destination == "csvlog":
        return list(csv_entries(data, zone))
    if destination == "jsonlog":
        return list(json_entries(data.split("\n"), zone))
    return list(plain_entries(data.split("\n"), prefix, zone))


def worse(those: Sequence[Entry], since: float | None = None) -> list[Entry]:
    """Entries from WARNING on, and those whose severity is not known, at or after a time.

    One without a time counts: nobody knows that it is older.
    """
    return [
        one
        for one in those
        if one.severity is not Severity.LOG and (since is None or one.at is None or one.at >= since)
    ]


def line_of(entry: Entry) -> str:
    """An entry as the first of its lines on a screen: time in UTC, who, severity, text.

    >>> line_of(Entry(Severity.ERROR, "no", 0.0, "FEHLER", "shop", "app", "me", pid="7"))
    '1970-01-01 00:00:00.000Z [7] me@app shop ERROR:  no'
    """
    at = "" if entry.at is None else f"{datetime.fromtimestamp(entry.at, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z "
    who = f"{entry.user}@{entry.database} " if entry.user or entry.database else ""
    pid = f"[{entry.pid}] " if entry.pid else ""
    application = f"{entry.application} " if entry.application else ""
    word = entry.word if entry.severity in (Severity.LOG, Severity.UNKNOWN) else entry.severity.name
    return f"{at}{pid}{who}{application}{word}:  {entry.text}"
