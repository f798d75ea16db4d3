"""Who waits for whom, as a tree with the roots first: the picture a decision in a lock queue is made from.

A queue blames the one in front, not only the one that holds: a reader holds up the migration, and the migration holds
up everybody else. That difference decides what to cancel.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

PREPARED = 0
"""The pid under which the server names prepared transactions, which have no session."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """A session that waits for a lock. ``blockers`` are those directly in its way, ``wait`` seconds (None: unknown)."""

    pid: int
    blockers: tuple[int, ...]
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A session of the tree, in the order in which it is drawn.

    ``depth`` is 0 for a root. ``parent`` is the blocker under which it is drawn, the one furthest down. ``holds_up``
    counts everyone below it, however far; ``oldest_victim`` is the longest wait among them in seconds. ``cycle`` marks
    members of a deadlock that the server has not ended yet.
    """

    pid: int
    depth: int
    parent: int | None
    blocked_by: tuple[int, ...]
    holds_up: int
    wait: float | None
    oldest_victim: float | None
    cycle: bool = False


def build(waiters: Sequence[Waiter]) -> tuple[Node, ...]:
    """The tree: roots that hold up most first, then each with its waiters below it, the longest wait first.

    >>> [(n.pid, n.depth, n.holds_up) for n in build([Waiter(2, (1,), 3.0), Waiter(3, (2,), 1.0)])]
    [(1, 0, 2), (2, 1, 1), (3, 2, 0)]
    """
    blocked = {waiter.pid: tuple(dict.fromkeys(waiter.blockers)) for waiter in waiters if waiter.blockers}
    waits = {waiter.pid: waiter.wait for waiter in waiters}
    below: dict[int, list[int]] = {}
    for pid, blockers in blocked.items():
        for blocker in blockers:
            below.setdefault(blocker, []).append(pid)
    pids = dict.fromkeys([*below, *blocked])
    victims = {pid: _victims(pid, below) for pid in pids}
    depths = _depths(pids, blocked)
    parents = {
        pid: max((b for b in blockers if depths[b] < depths[pid]), key=lambda b: (depths[b], -b))
        for pid, blockers in blocked.items()
        if depths[pid] > 0
    }
    children: dict[int | None, list[int]] = {}
    for pid in pids:
        children.setdefault(parents.get(pid), []).append(pid)
    nodes: list[Node] = []
    stack = [(pid, 0) for pid in _ordered(children.get(None, []), victims, waits)]
    while stack:
        pid, depth = stack.pop()
        known = [wait for victim in victims[pid] if (wait := waits.get(victim)) is not None]
        cycle = any(pid in victims[blocker] and blocker in victims[pid] for blocker in blocked.get(pid, ()))
        nodes.append(
            Node(
                pid,
                depth,
                parents.get(pid),
                blocked.get(pid, ()),
                len(victims[pid]),
                waits.get(pid),
                max(known, default=None),
                cycle,
            )
        )
        stack += [(child, depth + 1) for child in _ordered(children.get(pid, []), victims, waits)]
    return tuple(nodes)


def _ordered(pids: list[int], victims: Mapping[int, Collection[int]], waits: Mapping[int, float | None]) -> list[int]:
    """In the order of a stack: what is drawn first comes last."""
    return sorted(pids, key=lambda pid: (len(victims[pid]), waits.get(pid) or 0.0, -pid))


def _victims(pid: int, below: Mapping[int, list[int]]) -> frozenset[int]:
    found: set[int] = set()
    todo = list(below.get(pid, []))
    while todo:
        one = todo.pop()
        if one not in found and one != pid:
            found.add(one)
            todo += below.get(one, [])
    return frozenset(found)


def _depths(pids: Collection[int], blocked: Mapping[int, tuple[int, ...]]) -> dict[int, int]:
    """The longest way down from a root. In a ring the member with the smallest pid stands for the root."""
    depths = {pid: 0 for pid in pids if pid not in blocked}
    left = {pid: blockers for pid, blockers in blocked.items()}
    while left:
        ready = [pid for pid, blockers in left.items() if all(blocker in depths for blocker in blockers)]
        if not ready:
            ready = [min(_ring(left))]
        for pid in ready:
            known = [depths[blocker] for blocker in left.pop(pid) if blocker in depths]
            depths[pid] = 1 + max(known) if known else 0
    return depths


def _ring(left: Mapping[int, tuple[int, ...]]) -> set[int]:
    """Members of one ring among those that all wait for each other."""
    seen: list[int] = []
    pid = min(left)
    while pid not in seen:
        seen.append(pid)
        pid = next(blocker for blocker in left[pid] if blocker in left)
    return set(seen[seen.index(pid) :])


@dataclass(frozen=True, slots=True)
class Position:
    """Where some sessions together stand in the tree: how many they wait for, and how many they hold up."""

    waits_for: int
    holds_up: int
    oldest_victim: float | None

    @property
    def text(self) -> str:
        """``waits for 1, holds up 14, oldest victim 6.2 s``; "" when they are in nobody's way and nobody in theirs."""
        parts = []
        if self.waits_for:
            parts.append(f"waits for {self.waits_for}")
        if self.holds_up:
            parts.append(f"holds up {self.holds_up}")
            if self.oldest_victim is not None:
                parts.append(f"oldest victim {self.oldest_victim:.1f} s")
        return ", ".join(parts)


def position(nodes: Sequence[Node], pids: Collection[int]) -> Position:
    """Where the sessions ``pids`` stand, such as those of the migration; they do not count as each other's victims."""
    own = [node for node in nodes if node.pid in pids]
    blockers = {blocker for node in own for blocker in node.blocked_by} - set(pids)
    below: dict[int, list[int]] = {}
    waits: dict[int, float | None] = {}
    for node in nodes:
        waits[node.pid] = node.wait
        for blocker in node.blocked_by:
            below.setdefault(blocker, []).append(node.pid)
    victims: set[int] = set()
    for node in own:
        victims |= _victims(node.pid, below)
    victims -= set(pids)
    known = [wait for pid in victims if (wait := waits.get(pid)) is not None]
    return Position(len(blockers), len(victims), max(known, default=None))
