from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.cluster.rings import RINGS, Rings
from cyme.core.model import BranchId

names = st.integers(0, 30).map(lambda number: BranchId(f"b{number}"))


def _rings(me: str, others: list[str]) -> Rings:
    rings = Rings(BranchId(me))
    for other in others:
        rings.add(BranchId(other))
    return rings


@cache
def _chosen(count: int) -> dict[str, set[str]]:
    """Return whom each of so many branches listens to."""
    names = [f"branch{number}" for number in range(count)]
    return {
        name: set(_rings(name, [other for other in names if other != name]).chosen())
        for name in names
    }


@pytest.mark.parametrize("count", [1, 2, RINGS + 1])
def test_up_to_eleven_branches_all_listen_to_all(count: int) -> None:
    chosen = _chosen(count)
    assert all(chosen[name] == chosen.keys() - {name} for name in chosen)


@pytest.mark.parametrize("count", [RINGS + 2, 20, 120])
def test_beyond_that_each_listens_to_at_most_ten_and_is_listened_to(count: int) -> None:
    chosen = _chosen(count)
    assert all(len(others) <= RINGS for others in chosen.values())
    listeners = Counter(other for others in chosen.values() for other in others)
    assert listeners.keys() == chosen.keys()
    assert sum(listeners.values()) / count > 0.6 * RINGS
    assert max(listeners.values()) <= RINGS


@pytest.mark.parametrize("count", [12, 20, 120])
def test_what_one_tells_reaches_all_in_a_few_steps(count: int) -> None:
    chosen = _chosen(count)
    reached = {"branch0"}
    for _ in range(5):
        reached |= {name for name, others in chosen.items() if others & reached}
    assert reached == chosen.keys()


def test_every_ring_is_another_permutation() -> None:
    chosen = _chosen(120)
    assert sum(len(others) for others in chosen.values()) > 120 * (RINGS - 1)


@given(st.lists(st.tuples(st.booleans(), names), max_size=30))
def test_it_does_not_matter_how_branches_came_and_went(changes: list[tuple[bool, str]]) -> None:
    there = {f"b{number}" for number in range(25)}
    rings = _rings("me", sorted(there))
    for comes, name in changes:
        if comes:
            rings.add(BranchId(name))
            there.add(name)
        else:
            rings.remove(BranchId(name))
            there.discard(name)
        assert set(rings.chosen()) == set(_rings("me", sorted(there)).chosen())


def test_where_the_nearest_has_gone_the_next_one_is_listened_to() -> None:
    there = {f"b{number}" for number in range(40)}
    rings = _rings("me", sorted(there))
    while there:
        assert set(rings.chosen()) == set(_rings("me", sorted(there)).chosen())
        gone = min(rings.chosen())
        rings.remove(gone)
        there.remove(gone)


def test_whoever_comes_twice_goes_once() -> None:
    rings = _rings("me", ["a", "a", "b"])
    rings.remove(BranchId("a"))
    rings.remove(BranchId("a"))
    assert set(rings.chosen()) == {"b"}


def test_when_the_last_has_gone_there_is_nobody_to_listen_to() -> None:
    rings = _rings("me", ["a"])
    rings.remove(BranchId("a"))
    assert set(rings.chosen()) == set()
