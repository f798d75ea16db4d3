"""Errors that reach a person: each says what is wrong and what to do about it."""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_STOPPED = 3
EXIT_UNKNOWN = 4
EXIT_INTERRUPTED = 130


class MigconsoleError(Exception):
    """A failure with a title, an explanation, a remedy and the process exit code it leads to.

    The texts never hold a secret: whoever raises has redacted them already.
    """

    exit_code = EXIT_FAILED

    def __init__(self, title: str, detail: str = "", remedy: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.detail = detail
        self.remedy = remedy

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.detail, self.remedy) if part)


class UsageError(MigconsoleError):
    """A broken file, bad URL, unresolved variable or unusable option: nothing was started."""

    exit_code = EXIT_USAGE


class TargetError(MigconsoleError):
    """The server cannot be reached, refuses us, or is not what the run needs."""


class StoppedError(MigconsoleError):
    """The run stands at a person, a gate, a lock, a confirmation or a changed fingerprint."""

    exit_code = EXIT_STOPPED


class UnknownOutcomeError(MigconsoleError):
    """Something was started and its outcome cannot be told."""

    exit_code = EXIT_UNKNOWN


class JournalError(MigconsoleError):
    """The journal cannot be read or written; nothing that changes anything may start."""
