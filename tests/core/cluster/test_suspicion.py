from __future__ import annotations

import pytest

from cyme.core.cluster.suspicion import (
    ACCUSERS_WANTED,
    SUSPICION_S_MAX,
    SUSPICION_S_MIN,
    Suspicion,
)
from cyme.core.model import BranchId


def _suspected(accusers: int, others: int) -> float:
    """Return how long a branch is suspected whom so many have accused beside the first."""
    suspicion = Suspicion(1000.0, BranchId("first"), others)
    for number in range(accusers):
        assert suspicion.accuse(BranchId(f"b{number}"))
    return suspicion.deadline - 1000.0


@pytest.mark.parametrize(
    ("accusers", "expected_s"),
    # 12 - 8 * log(accusers + 1) / log(4), as in Lifeguard.
    [(0, 12.0), (1, 8.0), (2, 5.66), (3, 4.0)],
)
def test_the_more_accuse_it_the_sooner_it_has_failed(accusers: int, expected_s: float) -> None:
    assert _suspected(accusers, others=10) == pytest.approx(expected_s, abs=0.01)


@pytest.mark.parametrize(
    ("others", "expected_s"),
    [(1, [12.0, 4.0]), (2, [12.0, 6.95, 4.0]), (3, [12.0, 8.0, 5.66, 4.0])],
)
def test_where_few_could_accuse_it_all_of_them_are_enough(
    others: int, expected_s: list[float]
) -> None:
    found = [_suspected(accusers, others) for accusers in range(others + 1)]
    assert found == pytest.approx(expected_s, abs=0.01)


@pytest.mark.parametrize("others", [0, -1])
def test_where_nobody_else_could_accuse_it_one_is_enough(others: int) -> None:
    assert _suspected(0, others) == SUSPICION_S_MIN


def test_more_accusers_than_are_wanted_change_nothing() -> None:
    assert _suspected(3, others=1) == SUSPICION_S_MIN


def test_nobody_counts_twice() -> None:
    suspicion = Suspicion(0.0, BranchId("first"), 10)
    assert not suspicion.accuse(BranchId("first"))
    assert suspicion.accuse(BranchId("b"))
    assert not suspicion.accuse(BranchId("b"))
    assert suspicion.deadline == pytest.approx(8.0)


def test_an_accusation_is_worth_passing_on_while_it_shortens_the_trial() -> None:
    suspicion = Suspicion(0.0, BranchId("first"), 10)
    passed_on = [suspicion.accuse(BranchId(f"b{number}")) for number in range(6)]
    assert passed_on == [True] * ACCUSERS_WANTED + [False] * 3
    assert suspicion.deadline == SUSPICION_S_MIN


def test_a_trial_in_which_nobody_could_be_heard_begins_later() -> None:
    suspicion = Suspicion(0.0, BranchId("first"), 10)
    suspicion.delay(5.0)
    assert suspicion.deadline == SUSPICION_S_MAX + 5.0
