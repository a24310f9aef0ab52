from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.cluster.dice import Dice

seeds = st.integers(-(2**70), 2**70)


def test_throws_the_numbers_of_splitmix64() -> None:
    # Those of the reference implementation (Vigna, splitmix64.c) for the seed 1234567.
    dice = Dice(1234567)
    assert [dice.below(2**64) for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(seeds, st.integers(1, 10))
def test_the_same_seed_throws_the_same(seed: int, limit: int) -> None:
    one, other = Dice(seed), Dice(seed)
    for _ in range(5):
        assert one.below(limit) == other.below(limit)
        assert one.around(1.0, 0.5) == other.around(1.0, 0.5)
        assert one.some("abcdef", 3) == other.some("abcdef", 3)


@given(seeds, st.integers(1, 100))
def test_throws_within_the_limit(seed: int, limit: int) -> None:
    dice = Dice(seed)
    assert all(0 <= dice.below(limit) < limit for _ in range(20))


def test_throws_every_number_about_as_often() -> None:
    dice = Dice(7)
    thrown = [dice.below(6) for _ in range(6000)]
    assert all(800 < thrown.count(face) < 1200 for face in range(6))


@given(seeds, st.floats(0.1, 100.0), st.floats(0.0, 1.0))
def test_spreads_around_the_middle(seed: int, middle: float, spread: float) -> None:
    dice = Dice(seed)
    for _ in range(10):
        assert abs(dice.around(middle, spread) - middle) <= middle * (spread + 1e-9)


def test_spreads_to_both_sides_as_far_as_it_may() -> None:
    dice = Dice(7)
    thrown = [dice.around(10.0, 0.2) for _ in range(2000)]
    assert min(thrown) == pytest.approx(8.0, abs=0.01)
    assert max(thrown) == pytest.approx(12.0, abs=0.01)
    assert sum(thrown) / len(thrown) == pytest.approx(10.0, abs=0.1)


@given(seeds, st.lists(st.integers(), unique=True, max_size=8), st.integers(0, 10))
def test_picks_different_ones(seed: int, choices: list[int], count: int) -> None:
    picked = Dice(seed).some(choices, count)
    assert len(picked) == len(set(picked)) == min(count, len(choices))
    assert set(picked) <= set(choices)


def test_picks_every_one_in_time_and_leaves_the_choices_alone() -> None:
    dice = Dice(3)
    choices = ["a", "b", "c"]
    assert {dice.some(choices, 1)[0] for _ in range(50)} == {"a", "b", "c"}
    assert choices == ["a", "b", "c"]
