"""Manifests: read back as written, refused when anything is off, and compared without a blind spot."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from migconsole.domain.manifest import (
    Extension,
    Manifest,
    ManifestError,
    Observed,
    Origin,
    Properties,
    Relation,
    SequenceValue,
    Statement,
    compare,
    read_manifest,
)

OBSERVED = Observed(
    relations=(
        Relation("public", "T a", 1, "r", rows=3, hash="h:1", bytes=8192, n_tup_ins=3),
        Relation("public", "big", 2, "r", rows=10),
        Relation("public", "v", 3, "v"),
        Relation("public", "mv", 4, "m"),
        Relation("public", "s", 5, "S"),
    ),
    sequences=(SequenceValue("public", "s", 5, True, 9, True),),
    extensions=(Extension("hstore", "1.8", "public"),),
    objects={"indexes": 2},
    large_objects=1,
)
MANIFEST = Manifest(
    id="0a1b2c3d4e5f",
    database='my "db"',
    origin=Origin("7", "db1", 5432, 16384, "deploy"),
    server_version="16.4",
    client_version="16.4",
    client_path="/usr/lib/postgresql/16/bin",
    server_time="2026-11-25T10:00:00.000Z",
    local_time="2026-11-25T10:00:00.000Z",
    lsn="0/1",
    snapshot="1-1",
    observed=OBSERVED,
    properties=Properties(
        owner="deploy", settings=("a",), statements=(Statement("comment", "COMMENT ON DATABASE ", " IS 'x'"),)
    ),
    durations={"dump_s": 1.5},
)


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    assert read_manifest(json.dumps(MANIFEST.data())) == MANIFEST
    assert MANIFEST.rows == 13


def test_the_file_has_what_others_look_for() -> None:
    data = MANIFEST.data()
    assert data["tables"][0]["name"] == "T a"
    assert data["sequences"][0]["last_value"] == 5
    assert data["origin"]["system_identifier"] == "7"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data | {"format": 2},
        lambda data: data | {"surprise": 1},
        lambda data: {name: value for name, value in data.items() if name != "tables"},
        lambda data: data | {"tables": [{"schema": "x"}]},
        lambda data: data | {"tables": [{"schema": "x", "name": "y", "oid": 1, "more": 2}]},
        lambda data: data | {"properties": {}},
        lambda data: data | {"objects": {"indexes": "many"}},
        lambda data: [],
    ],
)
def test_what_is_not_wholly_a_manifest_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(ManifestError):
        read_manifest(json.dumps(change(MANIFEST.data())))


@pytest.mark.parametrize("text", ["", "{", "null", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ManifestError):
        read_manifest(text)


def test_the_same_is_no_difference() -> None:
    assert compare(MANIFEST, OBSERVED) == []


def relation(number: int, **changes: object) -> Observed:
    changed = replace(OBSERVED.relations[number], **changes)  # type: ignore[arg-type]
    relations = list(OBSERVED.relations)
    relations[number] = changed
    return replace(OBSERVED, relations=tuple(relations))


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (relation(0, rows=2), 'table "public"."T a" had 3 rows and has 2'),
        (relation(0, hash="h:2"), "not the same ones"),
        (relation(0, hash=None), "not the same ones"),
        (relation(1, rows=None), "was not counted"),
        (relation(2, kind="r", rows=0), "was a view and is a table"),
        (replace(OBSERVED, relations=OBSERVED.relations[1:]), "is missing"),
        (replace(OBSERVED, relations=(*OBSERVED.relations, Relation("x", "y", 9))), "not in the backup"),
        (replace(OBSERVED, sequences=()), "sequence"),
        (replace(OBSERVED, sequences=(SequenceValue("public", "s", 10, True),)), "stood at 5 to 9 and stands at 10"),
        (replace(OBSERVED, extensions=()), "extension hstore is missing"),
        (replace(OBSERVED, extensions=(Extension("hstore", "1.7", "public"),)), "was 1.8 and is 1.7"),
        (replace(OBSERVED, objects={"indexes": 1}), "there were 2 indexes and are 1"),
        (replace(OBSERVED, objects={"indexes": 2, "triggers": 1}), "there were 0 triggers and are 1"),
        (replace(OBSERVED, large_objects=None), "large objects"),
        (replace(OBSERVED, invalid=("public.i",)), "index public.i is not valid"),
    ],
)
def test_every_difference_is_said(observed: Observed, words: str) -> None:
    (difference,) = compare(MANIFEST, observed)
    assert words in difference


def test_rows_of_a_stale_materialised_view_are_not_compared() -> None:
    assert compare(MANIFEST, relation(3, rows=5)) == []


@pytest.mark.parametrize(
    ("before", "called", "after", "after_called", "value", "value_called", "admitted"),
    [
        (1, False, 1, False, 1, False, True),
        (1, False, 1, False, 1, True, False),
        (1, False, 1, True, 1, True, True),
        (1, False, 1, True, 1, False, True),
        (5, True, 9, True, 7, True, True),
        (5, True, 9, True, 4, True, False),
        (-5, True, -9, True, -7, True, True),
        (-5, True, -9, True, -4, True, False),
    ],
)
def test_a_sequence_lies_between_what_it_was_before_and_after(
    before: int, called: bool, after: int, after_called: bool, value: int, value_called: bool, admitted: bool
) -> None:
    entry = SequenceValue("s", "q", before, called, after, after_called)
    assert entry.admits(SequenceValue("s", "q", value, value_called)) is admitted


def test_a_statement_serves_any_name() -> None:
    statement = Statement("limit", "ALTER DATABASE ", " CONNECTION LIMIT 5")
    assert statement.for_database('a"; DROP') == 'ALTER DATABASE "a""; DROP" CONNECTION LIMIT 5'
    assert MANIFEST.properties.without_comment() == ()
