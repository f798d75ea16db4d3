"""What a rollback would lose: counted where the counters compare, a lower bound or unknown where they do not."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.loss import Fate, TableLoss, preview
from migconsole.domain.moments import Moment, SequencePosition, TableCounts, from_manifest

T0 = "2026-11-25T10:00:00+00:00"
T1 = "2026-11-25T11:30:00+00:00"


def table(name: str, oid: int, inserted: int = 0, updated: int = 0, deleted: int = 0, rows: int = 0) -> TableCounts:
    return TableCounts("public", name, oid, rows, inserted, updated, deleted)


def moment(*tables: TableCounts, at: str = T0, **more: object) -> Moment:
    return replace(Moment(tables=tables, at=at, database_oid=5, system_identifier="77"), **more)  # type: ignore[arg-type]


def only(before: Moment, now: Moment) -> TableLoss:
    (loss,) = preview(before, now).tables
    return loss


def test_nothing_written_is_said_and_only_then() -> None:
    found = preview(moment(table("a", 1, 5)), moment(table("a", 1, 5), at=T1))
    assert found.nothing
    assert found.headline() == "no row was written since the restore point"
    assert found.age == 5400
    assert not preview(moment(table("a", 1, 5)), moment(table("a", 1, 6), at=T1)).nothing


def test_deltas_are_summed_and_the_most_written_comes_first() -> None:
    found = preview(
        moment(table("a", 1, 5, 1), table("b", 2, 9)), moment(table("a", 1, 6, 1), table("b", 2, 19, 4, 2), at=T1)
    )
    assert [loss.table for loss in found.tables] == ["public.b", "public.a"]
    assert (found.total("inserted"), found.total("updated"), found.total("deleted")) == (11, 4, 2)
    assert found.complete


def test_tables_are_followed_by_oid() -> None:
    loss = only(moment(table("a", 1, 5)), moment(table("b", 1, 7)))
    assert (loss.table, loss.fate, loss.inserted) == ("public.b", Fate.RENAMED, 2)
    assert "public.a" in loss.note


def test_created_dropped_and_replaced_tables() -> None:
    before = moment(table("gone", 1, 5, rows=5), table("again", 2, 5))
    found = {loss.table: loss for loss in preview(before, moment(table("again", 12, 3), table("new", 13, 8))).tables}
    assert found["public.gone"].fate is Fate.DROPPED
    assert "comes back with 5 rows" in found["public.gone"].note
    assert found["public.again"].fate is Fate.REPLACED
    assert found["public.new"].fate is Fate.CREATED
    assert found["public.new"].inserted == 8


def test_a_name_that_was_taken_over_is_no_replacement() -> None:
    found = {loss.table: loss for loss in preview(moment(table("a", 1)), moment(table("b", 1), table("a", 2))).tables}
    assert found["public.b"].fate is Fate.RENAMED
    assert found["public.a"].fate is Fate.CREATED


def test_a_reset_after_the_restore_point_gives_lower_bounds() -> None:
    before = moment(table("a", 1, 500))
    found = preview(before, moment(table("a", 1, 3), at=T1, stats_reset="2026-11-25T11:00:00+00:00"))
    assert found.tables[0].at_least
    assert found.tables[0].inserted == 3
    assert not found.complete
    assert not found.nothing
    assert "reset" in found.reset
    assert "≥ 3" in "\n".join(found.lines())


def test_counters_that_went_back_are_unknown_for_every_table() -> None:
    found = preview(moment(table("a", 1, 500), table("b", 2, 1)), moment(table("a", 1, 3), table("b", 2, 9), at=T1))
    assert [loss.fate for loss in found.tables] == [Fate.UNKNOWN, Fate.UNKNOWN]
    assert found.total("inserted") is None
    assert "unknown inserted" in found.headline()


def test_another_database_or_server_compares_nothing() -> None:
    before = moment(table("a", 1, 5))
    for other in (moment(table("a", 1, 9), database_oid=6), moment(table("a", 1, 9), system_identifier="78")):
        found = preview(before, other)
        assert found.tables[0].inserted is None
        assert found.wal_bytes is None
        assert found.notes


def test_a_server_that_does_not_count_says_unknown() -> None:
    found = preview(moment(table("a", 1, 5)), moment(table("a", 1, 5), table("new", 2), counting=False))
    assert {loss.fate for loss in found.tables} == {Fate.UNKNOWN}
    assert not found.nothing


def test_truncate_is_not_counted_and_therefore_said() -> None:
    loss = only(moment(table("a", 1, 50, rows=50)), moment(table("a", 1, 50, rows=0)))
    assert loss.deleted is None
    assert "TRUNCATE" in loss.note
    assert only(moment(table("a", 1, 50, rows=50)), moment(table("a", 1, 50, 0, 50, rows=0))).deleted == 50


def test_partitioned_parents_and_views_are_neither_new_nor_lost() -> None:
    parent = replace(table("p", 1), kind="p")
    assert preview(moment(parent), moment(parent, replace(table("m", 2), kind="m"))).tables == ()


def test_sequences() -> None:
    before = moment(sequences=(at("a", 10), at("b", None), at("c", None), at("d", 100, -10), at("e", 9)))
    now = moment(sequences=(at("a", 17), at("b", 1), at("c", None), at("d", 70, -10), at("e", None), at("new", 3)))
    found = {loss.sequence.split(".")[1]: loss for loss in preview(before, now).sequences}
    assert found["a"].steps == 7
    assert found["b"].steps is None
    assert found["c"].steps == 0
    assert found["d"].steps == 3
    assert found["e"].steps is None
    assert "new" not in found


def at(name: str, value: int | None, increment: int = 1) -> SequencePosition:
    return SequencePosition("public", name, value, increment)


def test_wal_distance() -> None:
    assert preview(moment(lsn="0/10"), moment(lsn="1/10")).wal_bytes == 2**32
    assert preview(moment(lsn="1/10"), moment(lsn="0/10")).wal_bytes is None
    assert preview(moment(lsn="rubbish"), moment(lsn="0/10")).wal_bytes is None


def test_a_manifest_is_read_as_it_is_written_and_gaps_are_unknown() -> None:
    found = from_manifest(
        {
            "database": "app",
            "target": {"system_identifier": "77", "oid": 5},
            "server_time": T0,
            "lsn": "0/10",
            "stats_reset": None,
            "tables": [
                {"schema": "public", "name": "a", "oid": 1, "rows": 3, "n_tup_ins": 3, "n_tup_upd": 0, "n_tup_del": 0},
                {"schema": "public", "name": "b", "oid": 2, "rows": 3, "kind": "r"},
                {"schema": "public", "name": "s", "oid": 3, "kind": "S"},
                {"schema": "public", "name": "v", "oid": 4, "kind": "v"},
            ],
            "sequences": [
                {"schema": "public", "name": "s", "last_value": 1, "is_called": False},
                {"schema": "public", "name": "u", "last_value": 1, "is_called": True},
            ],
        }
    )
    assert found.database_oid == 5
    assert [table.name for table in found.tables] == ["a", "b"], "a view or a sequence is no table that was dropped"
    assert found.tables[1].inserted is None
    assert [sequence.last_value for sequence in found.sequences] == [None, 1]
    assert preview(found, found).tables[0].table == "public.b", "what is unknown stands first"
    assert from_manifest({}) == Moment()


def test_hostile_names_cannot_command_a_terminal() -> None:
    hostile = TableCounts("pub\x1b]0;x\x07", "a\nb", 1, 0, 5, 0, 0)
    text = "\n".join(preview(moment(), moment(hostile)).lines())
    assert "\x1b" not in text
    assert "a\nb" not in text


COUNTS = st.integers(0, 10**12)


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS), max_size=8), st.lists(st.tuples(COUNTS, COUNTS, COUNTS), max_size=8))
def test_deltas_are_exact_or_unknown(old: list[tuple[int, int, int]], grown: list[tuple[int, int, int]]) -> None:
    pairs = list(zip(old, grown, strict=False))
    before = moment(*(table(f"t{n}", n + 1, *counts) for n, (counts, _) in enumerate(pairs)))
    now = moment(
        *(
            table(f"t{n}", n + 1, *(a + b for a, b in zip(counts, more, strict=True)), rows=1)
            for n, (counts, more) in enumerate(pairs)
        )
    )
    found = preview(before, now)
    assert found.total("inserted") == sum(more[0] for _, more in pairs)
    assert found.total("deleted") == sum(more[2] for _, more in pairs)
    assert found.data()["complete"]
