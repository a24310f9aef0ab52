from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measures import Bar, Series, are_apart, quantile, ratio, summary

FIGURES = st.floats(-1e9, 1e9)
SAMPLES = st.lists(FIGURES, min_size=1, max_size=40)
SHARES = st.floats(0, 1)


@pytest.mark.parametrize(
    ("q", "expected"), [(0.0, 1.0), (0.25, 1.75), (0.5, 2.5), (0.99, 3.97), (1.0, 4.0)]
)
def test_interpolates_between_neighbours(q: float, expected: float) -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], q) == pytest.approx(expected)


@given(SAMPLES, SHARES)
def test_a_quantile_lies_within_the_samples(samples: list[float], q: float) -> None:
    assert min(samples) <= quantile(samples, q) <= max(samples)


@given(SAMPLES, SHARES, SHARES)
def test_quantiles_grow_with_their_share(samples: list[float], one: float, other: float) -> None:
    assert quantile(samples, min(one, other)) <= quantile(samples, max(one, other))


@given(SAMPLES, SHARES, st.randoms())
def test_the_order_of_the_samples_does_not_matter(
    samples: list[float], q: float, random: Random
) -> None:
    shuffled = samples.copy()
    random.shuffle(shuffled)
    assert quantile(shuffled, q) == quantile(samples, q)


@pytest.mark.parametrize(("samples", "q"), [([], 0.5), ([1.0], -0.1), ([1.0], 1.1)])
def test_there_is_no_quantile_of_nothing_or_beyond_the_ends(samples: list[float], q: float) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        quantile(samples, q)


@given(SAMPLES)
def test_a_summary_is_in_order(samples: list[float]) -> None:
    figures = summary(samples)
    assert figures.count == len(samples)
    assert figures.least <= figures.median <= figures.p99 <= figures.greatest


def test_a_ratio_is_made_pair_by_pair() -> None:
    ours, peers = Series("ours", "s", (1.0, 6.0, 2.0)), Series("peers", "s", (2.0, 3.0, 2.0))
    compared = ratio("ours / peers", ours, peers)
    assert compared.pairs == (0.5, 2.0, 1.0)
    assert compared.summary.median == 1.0


@given(st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)), min_size=1))
def test_the_inverse_of_a_ratio_is_the_ratio_of_the_inverse(
    pairs: list[tuple[float, float]],
) -> None:
    one = Series("one", "s", tuple(a for a, _ in pairs))
    other = Series("other", "s", tuple(b for _, b in pairs))
    there, back = ratio("", one, other).pairs, ratio("", other, one).pairs
    assert [a * b for a, b in zip(there, back, strict=True)] == pytest.approx([1.0] * len(pairs))


@pytest.mark.parametrize("peers", [(1.0,), (1.0, 0.0)])
def test_what_was_not_measured_in_pairs_has_no_ratio(peers: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="not measured in pairs"):
        ratio("", Series("ours", "s", (1.0, 2.0)), Series("peers", "s", peers))


def test_a_bar_may_be_touched_and_not_crossed() -> None:
    assert Bar("time", 0.6, 0.6).holds
    assert not Bar("time", 0.61, 0.6).holds
    assert Bar("rate", 0.7, 0.7, at_most=False).holds
    assert not Bar("rate", 0.69, 0.7, at_most=False).holds


def test_series_are_apart_when_their_middle_halves_do_not_meet() -> None:
    assert are_apart([1.0, 1.1, 1.2], [2.0, 2.1, 2.2])
    assert are_apart([2.0, 2.1, 2.2], [1.0, 1.1, 1.2])
    assert not are_apart([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])


@given(SAMPLES)
def test_a_series_is_not_apart_from_itself(samples: list[float]) -> None:
    assert not are_apart(samples, samples)
