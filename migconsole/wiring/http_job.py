"""``http``: one GET of an address, judged by its status and body: a smoke test that changes nothing."""

from __future__ import annotations

import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.parse import urlsplit

from migconsole.adapters.jobs.outcomes import JobOutcome
from migconsole.domain.patterns import LONGEST_LINE, LONGEST_PATTERN, PatternError, compile_pattern
from migconsole.domain.secrets import Secrets
from migconsole.domain.text import sanitise_line
from migconsole.errors import UsageError

MOST = 1024 * 1024
"""Bytes of a body that are read and searched."""

REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what is expected. Without an expectation the answer is shown and a person judges."""

    address: str
    method: str = "GET"
    status: tuple[int, ...] = ()
    body: str = ""
    not_body: str = ""
    timeout: float = 10.0


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects to the same scheme, host and port only: a smoke test must not leave for somewhere else."""

    max_redirections = REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """The next request; None leaves the redirect itself as the answer."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int | None
    body: bytes = b""
    location: str = ""
    address: str = ""
    problem: str = ""


def ask(question: Question, say: Callable[[str], None]) -> JobOutcome:
    """Ask once and judge. Raises UsageError for an address or pattern that cannot be used."""
    parts = _checked(question)
    redact = Secrets([secret for secret in (parts.password, *_values(parts.query)) if secret], names=()).redact
    began = time.monotonic()
    answer = _fetch(question)
    seconds = round(time.monotonic() - began, 3)
    text = answer.body.decode("utf-8", "replace")
    lines = [redact(sanitise_line(line)) for line in _described(question, answer, seconds, text)]
    for line in lines:
        say(line)
    values: dict[str, Any] = {"status": answer.status, "seconds": seconds, "bytes": len(answer.body)}
    if answer.status is None:
        return JobOutcome("failed", [redact(answer.problem)], lines, values)
    wrong = [redact(sanitise_line(why)) for why in _wrong(question, answer, text)]
    if wrong:
        return JobOutcome("failed", wrong, lines, values)
    if not (question.status or question.body or question.not_body):
        word = "asks" if answer.status < 400 else "failed"
        return JobOutcome(word, [f"status {answer.status}, and nothing was expected of it"], lines, values)
    return JobOutcome("passed", [], lines, values)


def _checked(question: Question) -> Any:
    try:
        parts = urlsplit(question.address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\x00-\x20\x7f]", question.address):
        raise UsageError("The address cannot be asked", "Only http:// and https:// addresses with a host can.")
    for pattern in filter(None, (question.body, question.not_body)):
        try:
            compile_pattern(pattern)
        except PatternError as error:
            raise UsageError("The expected body is no pattern", f"{error}.") from None
    return parts


def _fetch(question: Question) -> _Answer:
    parts = urlsplit(question.address)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    request = urllib.request.Request(bare, method=question.method, headers={"User-Agent": "migconsole"})  # noqa: S310 - checked
    if parts.username is not None:
        import base64  # noqa: PLC0415 - only for an address with a name in it

        name = f"{parts.username}:{parts.password or ''}".encode()
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(name).decode()}")
    opener = urllib.request.build_opener(_SameHost)
    try:
        with opener.open(request, timeout=question.timeout) as response:
            return _Answer(response.status, response.read(MOST), address=response.url)
    except urllib.error.HTTPError as error:
        with error:
            return _Answer(error.code, error.read(MOST), error.headers.get("Location", ""), bare)
    except (OSError, HTTPException, ValueError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error
        words = (reason.strerror if isinstance(reason, OSError) else "") or f"{type(reason).__name__}: {reason}"
        return _Answer(None, problem=f"no answer: {words[:200]}")


def _described(question: Question, answer: _Answer, seconds: float, text: str) -> list[str]:
    asked = urlsplit(question.address)
    shown = asked._replace(netloc=asked.netloc.rpartition("@")[2]).geturl()
    if answer.status is None:
        return [f"{question.method} {shown}", answer.problem]
    lines = [f"{question.method} {shown}: status {answer.status}, {len(answer.body):,} bytes in {seconds:g} s"]
    if answer.location:
        lines.append(f"redirects to {answer.location}, which was not followed: it is another host")
    return [*lines, *[line for line in text.splitlines() if line.strip()][:10]]


def _wrong(question: Question, answer: _Answer, text: str) -> list[str]:
    wrong = []
    if question.status and answer.status not in question.status:
        wanted = " or ".join(map(str, question.status))
        wrong.append(f"status: expected {wanted}, got {answer.status}")
    elif not question.status and answer.status is not None and answer.status >= 400:
        wrong.append(f"status {answer.status}")
    if question.body and not _search(question.body, text):
        wrong.append(f"body: expected “{question.body}”, which is not in its first {MOST // 1024} kB")
    if question.not_body and (found := _search(question.not_body, text)):
        wrong.append(f"body: “{found[:80]}” must not be in it")
    return wrong


def _search(pattern: str, text: str) -> str:
    """What a pattern matches first, "" for nothing: line by line, long lines in pieces that overlap."""
    compiled = compile_pattern(pattern)
    for line in text.splitlines() or [""]:
        for start in range(0, max(1, len(line)), LONGEST_LINE - LONGEST_PATTERN):
            match = compiled.search(line[start : start + LONGEST_LINE])
            if match is not None:
                return match[0] or "an empty match"
    return ""


def _values(query: str) -> Sequence[str]:
    """The values of an address's query that are long enough to be tokens."""
    return [value for pair in query.split("&") if len(value := pair.partition("=")[2]) >= 8]
