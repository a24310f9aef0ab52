from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.pairing import Side, alternate, turns

SEEDS = st.integers(0, 2**32)


@given(st.integers(0, 30), SEEDS)
def test_both_are_measured_in_every_pair_and_the_order_swaps(pairs: int, seed: int) -> None:
    order = list(turns(pairs, Random(seed)))
    assert len(order) == pairs
    assert all(set(pair) == set(Side) for pair in order)
    assert all(one == other[::-1] for one, other in pairwise(order))


def test_the_seed_says_who_begins() -> None:
    begins = [next(turns(1, Random(seed)))[0] for seed in range(20)]
    assert set(begins) == set(Side)
    assert begins == [next(turns(1, Random(seed)))[0] for seed in range(20)]


@given(st.integers(0, 3), st.integers(1, 10), SEEDS)
def test_keeps_the_pairs_together_and_leaves_the_warm_up_out(
    warmups: int, pairs: int, seed: int
) -> None:
    calls: list[Side] = []

    def measure(side: Side) -> Callable[[], int]:
        def once() -> int:
            calls.append(side)
            return len(calls) - 1

        return once

    ours, peers = alternate(
        measure(Side.OURS),
        measure(Side.PEER),
        warmups=warmups,
        pairs=pairs,
        random=Random(seed),
    )
    assert len(ours) == len(peers) == pairs
    assert len(calls) == 2 * (warmups + pairs)
    assert [calls[index] for index in ours] == [Side.OURS] * pairs
    assert [calls[index] for index in peers] == [Side.PEER] * pairs
    assert all(abs(one - other) == 1 for one, other in zip(ours, peers, strict=True))
    assert min(ours + peers) == 2 * warmups
