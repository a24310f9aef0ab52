"""Small clusters go through what a seed decides on, and no rule is broken."""

from __future__ import annotations

import pytest

from cyme.testing.simulation import Verdict, simulate

SEEDS = 300
SEEDS_PER_TEST = 50
SOAKED_SEEDS = 10_000
SOAKED_SEEDS_PER_TEST = 500


def assert_no_rule_is_broken(seeds: range) -> None:
    broken = [verdict for seed in seeds if (verdict := simulate(seed)).violation is not None]
    assert not broken, "\n\n".join(map(told, broken))


def told(verdict: Verdict) -> str:
    latest = "\n".join(verdict.latest[-30:])
    return f"{verdict.command}\n{verdict.violation}\n{latest}"


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_TEST))
def test_small_clusters_keep_every_rule(first: int) -> None:
    assert_no_rule_is_broken(range(first, first + SEEDS_PER_TEST))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(0, SOAKED_SEEDS, SOAKED_SEEDS_PER_TEST))
def test_ten_thousand_small_clusters_keep_every_rule(first: int) -> None:
    assert_no_rule_is_broken(range(first, first + SOAKED_SEEDS_PER_TEST))
