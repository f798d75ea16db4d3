"""The verdict on what a rollback gave: equal, different, different by what clients write, or not verified."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migconsole.domain import rollback_record
from migconsole.domain.manifest import Manifest, Observed, Origin, Properties, Relation, SequenceValue, Statement
from migconsole.domain.rollback_record import fold_rollbacks
from migconsole.domain.rollback_verified import KEPT, Proof, judge, judge_schema, unverified
from migconsole.domain.schema_diff import Fingerprint

ORDERS = Relation("public", "orders", 1, rows=10, hash="h:1")
IDS = SequenceValue("public", "ids", 10, True)
SEEN = Observed((ORDERS,), (IDS,), objects={"views": 1}, large_objects=0)
MANIFEST = Manifest(
    "0a1b2c3d4e5f",
    "shop",
    Origin("7", "db1", 5432, 1),
    "16.4",
    "16.4",
    "/usr/bin/pg_dump",
    "2026-11-24T14:02:00Z",
    "2026-11-24T14:02:00Z",
    "0/1",
    "s",
    SEEN,
    Properties(),
)


def test_an_equal_database_is_verified_and_says_against_what() -> None:
    found = judge(MANIFEST, SEEN, Properties(), clients=7)
    assert found.green
    assert found.line == "verified against the manifest of 2026-11-24T14:02:00Z, backup 0a1b2c3d"


@pytest.mark.parametrize(
    ("observed", "theirs"),
    [
        (replace(SEEN, relations=(replace(ORDERS, rows=11),)), True),
        (replace(SEEN, relations=(replace(ORDERS, hash="h:2"),)), True),
        (replace(SEEN, sequences=(replace(IDS, last_value=99),)), True),
        (replace(SEEN, large_objects=3), True),
        (replace(SEEN, relations=()), False),
        (replace(SEEN, relations=(ORDERS, Relation("public", "extra", 2, rows=0))), False),
        (replace(SEEN, relations=(replace(ORDERS, rows=None),)), False),
        (replace(SEEN, sequences=()), False),
        (replace(SEEN, objects={"views": 2}), False),
        (replace(SEEN, invalid=("public.broken",)), False),
        (replace(SEEN, relations=(replace(ORDERS, rows=11),), invalid=("public.broken",)), False),
    ],
)
def test_only_content_can_be_what_clients_wrote_and_only_with_clients(observed: Observed, theirs: bool) -> None:
    among, alone = judge(MANIFEST, observed, Properties(), clients=2), judge(MANIFEST, observed, Properties())
    assert (among.proof, alone.proof) == (Proof.DIFFERS, Proof.DIFFERS)
    assert among.explained is theirs
    assert alone.explained is False
    assert not among.green


def test_rights_and_settings_are_nobodys_everyday_work() -> None:
    setting = Statement("role setting", "ALTER ROLE app IN DATABASE ", " SET app.key TO 's3cret'")
    other = replace(setting, after=" SET app.key TO 'an0ther'")
    shut = Statement("grant", "GRANT CONNECT ON DATABASE ", " TO app")
    wide = Statement("grant", "GRANT CONNECT ON DATABASE ", " TO PUBLIC")
    manifest = replace(MANIFEST, properties=Properties(statements=(setting, shut)))
    busy = replace(SEEN, relations=(replace(ORDERS, rows=11),))
    found = judge(manifest, busy, Properties(encoding="LATIN1", statements=(other, wide)), clients=2)
    assert (found.proof, found.explained) == (Proof.DIFFERS, False)
    assert [line for line in found.lines if "database" in line] == [
        "the database's encoding was  and is LATIN1",
        "the database has another value of: ALTER ROLE app IN DATABASE … SET app.key",
        "the database has, and the backup has not: GRANT CONNECT ON DATABASE … TO PUBLIC",
        "the database lost: GRANT CONNECT ON DATABASE … TO app",
    ]
    assert "s3cret" not in str(found)
    commented = Statement("comment", "COMMENT ON DATABASE ", " IS 'a marker'")
    assert judge(manifest, SEEN, Properties(comment="a marker", statements=(shut, setting, commented))).green


def test_what_a_tool_left_behind_keeps_an_equal_database_from_being_green() -> None:
    found = judge(MANIFEST, SEEN, Properties(), notes=("a lock came back",))
    assert (found.proof, found.green, found.lines) == (Proof.VERIFIED, False, ("a lock came back",))


def test_many_differences_are_counted() -> None:
    more = tuple(Relation("public", f"t{n}", n, rows=0) for n in range(KEPT + 5))
    found = judge(MANIFEST, replace(SEEN, relations=(ORDERS, *more)), Properties())
    assert found.lines[-1] == "… and 5 more"
    assert len(found.lines) == KEPT + 1


def test_a_schema_is_held_against_the_kept_one_and_without_one_nothing_is_verified() -> None:
    before = Fingerprint((("table", "public.t", ""),))
    after = Fingerprint((("table", "public.t", ""), ("table", "public.extra", "")))
    assert judge_schema(before, before).proof is Proof.VERIFIED
    assert judge_schema(before, after).differences == ("+ table public.extra",)
    assert judge_schema(None, after).proof is Proof.UNVERIFIED


def test_the_record_keeps_it_and_what_is_not_understood_is_not_verified() -> None:
    def book(data: dict[str, object]) -> tuple[str, tuple[str, ...]]:
        entries = [(rollback_record.STARTED, "t", {"rollback": "r1"}), (rollback_record.VERIFIED, "t", data)]
        (deed,) = fold_rollbacks(entries).deeds
        return deed.verification, deed.findings

    said = unverified("it was left out (--no-verify)")
    assert book({"rollback": "r1"} | said.data()) == ("not verified", ("NOT verified: it was left out (--no-verify)",))
    assert book({"rollback": "r1"} | judge(MANIFEST, SEEN, Properties()).data())[0] == "verified"
    assert book({"rollback": "r1", "proof": "very good", "lines": 3}) == ("not verified", ("",))
    assert book({"rollback": "another"} | said.data()) == ("", ())
