"""Lock trees: queues, rings, several blockers, and the migration's place in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.locks import PREPARED, Waiter, build, position

READER, MIGRATION, APPS = 10, 20, (30, 31, 32)
QUEUE = [Waiter(MIGRATION, (READER,), 0.875), *(Waiter(pid, (MIGRATION,), pid / 40) for pid in APPS)]


def test_the_queue_blames_the_one_in_front() -> None:
    nodes = build(QUEUE)
    assert [(node.pid, node.depth, node.holds_up) for node in nodes] == [
        (READER, 0, 4),
        (MIGRATION, 1, 3),
        (32, 2, 0),
        (31, 2, 0),
        (30, 2, 0),
    ]
    assert nodes[0].oldest_victim == 0.875
    assert nodes[1].oldest_victim == 0.8
    assert position(nodes, [MIGRATION]).text == "waits for 1, holds up 3, oldest victim 0.8 s"
    assert position(nodes, [READER]).text == "holds up 4, oldest victim 0.9 s"
    assert position(nodes, [99]).text == ""


def test_own_sessions_are_not_victims_of_each_other() -> None:
    nodes = build([Waiter(21, (20,), 9.0), Waiter(30, (21,), 3.0)])
    assert position(nodes, [20, 21]).text == "holds up 1, oldest victim 3.0 s"


def test_a_waiter_is_drawn_once_below_its_deepest_blocker() -> None:
    nodes = build([Waiter(2, (1,)), Waiter(3, (1, 2, 2))])
    assert [(node.pid, node.depth, node.parent, node.blocked_by) for node in nodes] == [
        (1, 0, None, ()),
        (2, 1, 1, (1,)),
        (3, 2, 2, (1, 2)),
    ]
    assert nodes[0].holds_up == 2
    assert nodes[0].oldest_victim is None, "an unknown wait is not zero"


def test_prepared_transactions_are_roots() -> None:
    assert [node.pid for node in build([Waiter(5, (PREPARED,), 1.0)])] == [PREPARED, 5]


def test_rings_are_drawn_and_marked() -> None:
    nodes = build([Waiter(1, (2,), 1.0), Waiter(2, (1,), 2.0), Waiter(3, (2,), 3.0)])
    assert sorted(node.pid for node in nodes) == [1, 2, 3]
    assert {node.pid for node in nodes if node.cycle} == {1, 2}


@given(
    st.dictionaries(
        st.integers(0, 12),
        st.tuples(st.lists(st.integers(0, 12), max_size=4), st.none() | st.floats(0, 100)),
        max_size=12,
    )
)
def test_everybody_is_drawn_exactly_once_below_a_blocker(edges: dict[int, tuple[list[int], float | None]]) -> None:
    waiters = [Waiter(pid, tuple(b for b in blockers if b != pid), wait) for pid, (blockers, wait) in edges.items()]
    nodes = build(waiters)
    expected = {pid for waiter in waiters if waiter.blockers for pid in (waiter.pid, *waiter.blockers)}
    assert sorted(node.pid for node in nodes) == sorted(expected)
    drawn: list[int] = []
    for node in nodes:
        del drawn[node.depth :]
        assert len(drawn) == node.depth
        if node.depth:
            assert drawn[-1] == node.parent
            assert node.parent in node.blocked_by
        drawn.append(node.pid)
