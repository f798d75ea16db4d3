"""The server's log in every form it is written in, and in hands that do not mean well."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.server_log import Entry, Severity, entries, head_of, line_of, severity_of, worse, zone_of

UTC = zone_of("UTC")
AT = 1_795_629_600.25  # 2026-11-25 18:00:00.250 UTC


def plain(text: str, prefix: str = "%m [%p] ") -> list[Entry]:
    return entries(text, "stderr", prefix, UTC)


def test_details_and_continued_lines_belong_to_their_entry() -> None:
    text = (
        "of a line that was cut\n"
        "2026-11-25 18:00:00.250 UTC [42] ERROR:  duplicate key value\n"
        "2026-11-25 18:00:00.250 UTC [42] DETAIL:  Key (id)=(1) already exists.\n"
        "2026-11-25 18:00:00.250 UTC [42] STATEMENT:  INSERT INTO t\n"
        "\tVALUES (1)\n"
        "2026-11-25 18:00:01.000 UTC [7] LOG:  checkpoint starting\n"
    )
    first, second = plain(text)
    assert (first.severity, first.text, first.at, first.pid) == (Severity.ERROR, "duplicate key value", AT, "42")
    assert first.details == ("DETAIL: Key (id)=(1) already exists.", "STATEMENT: INSERT INTO t", "VALUES (1)")
    assert second.severity is Severity.LOG
    assert worse([first, second]) == [first]


@pytest.mark.parametrize(
    ("prefix", "line", "application"),
    [
        ("%m [%p] %q%u@%d %a ", "2026-11-25 18:00:00.250 UTC [42] me@shop web app FATAL:  no", "web app"),
        ("%m [%p] %q%u@%d %a ", "2026-11-25 18:00:00.250 UTC [42] FATAL:  no", ""),
        ("%t:%r:%u@%d:[%p]: ", "2026-11-25 18:00:00 UTC:10.0.0.7(5432):me@shop:[42]: FATAL:  no", ""),
        ("%n %e %a|", "1795629600.250 57P01 web|FATAL:  no", "web"),
        ("%-20a %% %m ", "web                  % 2026-11-25 18:00:00.250 UTC FATAL:  no", "web"),
        ("", "FATAL:  no", ""),
        ("%z", "FATAL:  no", ""),
    ],
)
def test_prefixes(prefix: str, line: str, application: str) -> None:
    (found,) = plain(line, prefix)
    assert (found.severity, found.text, found.application) == (Severity.FATAL, "no", application)


def test_times_are_of_the_servers_zone() -> None:
    (found,) = entries("2026-11-25 19:00:00.250 CET [1] LOG:  x", "stderr", "%m [%p] ", zone_of("Europe/Berlin"))
    assert found.at == AT
    assert zone_of("nowhere/at all") is not None


def test_severities_in_other_languages_and_unknown_ones() -> None:
    assert severity_of("WARNUNG") is Severity.WARNING
    assert severity_of("ERREUR") is Severity.ERROR
    assert severity_of("VAROITUS", "01000") is Severity.WARNING
    assert severity_of("LOKI", "00000") is Severity.LOG
    (found,) = plain("2026-11-25 18:00:00.250 UTC [42] VIRHE:  ei")
    assert found.severity is Severity.UNKNOWN
    assert worse([found]) == [found], "what nobody understands is not harmless"


def test_csv_from_the_middle_of_a_record() -> None:
    record = (
        '2026-11-25 18:00:00.250 UTC,"me","shop",42,"10.0.0.7:1",6925.1,1,"INSERT",2026-11-25 17:00:00 UTC,3/1,0,ERROR,'
        '23505,"duplicate ""key""\nvalue","Key (id)",,,,,"INSERT\nINTO t",,,"web","client backend",,0\n'
    )
    (found,) = entries('rest of one",,,"web"\n' + record, "csvlog", "", UTC)
    assert (found.severity, found.text, found.at, found.application) == (
        Severity.ERROR,
        'duplicate "key"\nvalue',
        AT,
        "web",
    )
    assert found.details == ("DETAIL: Key (id)", "STATEMENT: INSERT\nINTO t")


def test_json_lines_and_what_is_cut_of_them() -> None:
    row = {
        "timestamp": "2026-11-25 18:00:00.250 UTC",
        "error_severity": "WARNING",
        "message": "slow",
        "application_name": "web",
        "pid": 42,
    }
    (found,) = entries(f'"cut"}}\n{json.dumps(row)}\n[1]\n{{"half": ', "jsonlog", "", UTC)
    assert (found.severity, found.text, found.at, found.pid) == (Severity.WARNING, "slow", AT, "42")
    assert line_of(found) == "2026-11-25 18:00:00.250Z [42] web WARNING:  slow"


def test_only_what_is_since_then_and_what_has_no_time() -> None:
    old, new, untimed = (Entry(Severity.ERROR, "x", at) for at in (1.0, 9.0, None))
    assert worse([old, new, untimed], 5.0) == [new, untimed]


@given(st.text(max_size=400), st.sampled_from(["stderr", "csvlog", "jsonlog"]), st.text(max_size=40))
def test_nothing_in_a_log_or_a_prefix_breaks_the_reading(text: str, destination: str, prefix: str) -> None:
    for found in entries(text, destination, prefix, UTC):
        assert line_of(found)


def test_hostile_lines_cost_little() -> None:
    prefix = "%a %u %d %r %h %a "
    began = time.perf_counter()
    for line in ("a " * 300, "LOG: " * 120, "x:  " * 150, " " * 600):
        for _ in range(50):
            head_of(line, prefix)
    assert time.perf_counter() - began < 2


def test_a_prefix_that_does_not_fit_hides_no_error() -> None:
    (found,) = plain("whatever 2026-11-25 18:00:00.250 UTC was before: ERROR:  no", "%m [%p] %u ")
    assert (found.severity, found.at, found.application) == (Severity.ERROR, AT, "")
