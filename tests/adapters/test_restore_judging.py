"""How the end of a restore is judged: by exit code and statements, in whatever language the server speaks."""

from __future__ import annotations

import pytest

from migconsole.adapters.backup.restoring import failure
from migconsole.adapters.backup.tools import Ended

TIMEOUT = (
    "pg_restore: error: could not execute query: FEHLER:  unbekannter Konfigurationsparameter »transaction_timeout«",
    "Command was: SET transaction_timeout = 0;",
)
OTHER = ("pg_restore: error: could not execute query: ERROR:  permission denied", "Command was: CREATE TABLE t ();")
FORGED = (
    'pg_restore: error: could not execute query: ERROR:  relation "transaction_timeout" does not exist',
    "Command was: ALTER TABLE transaction_timeout ADD x int;",
)
LAST = ("pg_restore: warning: errors ignored on restore: 2",)


def ended(code: int, *lines: str, cut: bool = False) -> Ended:
    return Ended("pg_restore", code, lines, cut)


def test_exit_0_is_success() -> None:
    assert failure(ended(0), strict=True) == ""


def test_only_the_parameter_that_the_server_does_not_know_is_harmless() -> None:
    assert failure(ended(1, *TIMEOUT, *TIMEOUT, *LAST), strict=False) == ""


@pytest.mark.parametrize(
    "end",
    [
        ended(1, *TIMEOUT, *OTHER, *LAST),
        ended(1, *FORGED, *LAST),
        ended(1, *LAST),
        ended(1),
        ended(2, *TIMEOUT),
        ended(-9, *TIMEOUT),
        ended(1, *TIMEOUT, cut=True),
    ],
)
def test_everything_else_is_a_failure(end: Ended) -> None:
    assert failure(end, strict=False) != ""


def test_with_programs_of_the_servers_major_nothing_is_harmless() -> None:
    assert failure(ended(1, *TIMEOUT, *LAST), strict=True) != ""


def test_what_failed_is_named_and_not_the_harmless_part() -> None:
    text = failure(ended(1, *TIMEOUT, *OTHER, *LAST), strict=False)
    assert "permission denied" in text
    assert "transaction_timeout" not in text
