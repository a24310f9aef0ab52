from __future__ import annotations

from cyme.core.cluster.pings import PING_S, PINGS_MAX, Asked, Pings
from cyme.core.model import BranchId

A, B = BranchId("a"), BranchId("b")


def test_an_answer_belongs_to_its_ping_once() -> None:
    pings = Pings()
    number = pings.new(1.0, A, b"link", 7)
    assert pings.take(number, A) == Asked(A, 1.0, b"link", 7)
    assert pings.take(number, A) is None


def test_an_answer_of_another_branch_counts_for_nothing() -> None:
    pings = Pings()
    number = pings.new(1.0, A)
    assert pings.take(number, B) is None
    assert pings.take(number, A) == Asked(A, 1.0, None, 0)


def test_every_ping_has_a_number_of_its_own() -> None:
    pings = Pings()
    assert len({pings.new(1.0, A) for _ in range(10)}) == 10


def test_a_ping_is_forgotten_in_time() -> None:
    pings = Pings()
    old, late = pings.new(1.0, A), pings.new(2.0, A)
    pings.new(1.0 + PING_S, B)
    assert pings.take(old, A) is not None
    pings.new(2.0 + PING_S + 0.01, B)
    assert pings.take(late, A) is None


def test_the_oldest_pings_are_forgotten_first_where_there_are_too_many() -> None:
    pings = Pings()
    numbers = [pings.new(1.0, A) for _ in range(PINGS_MAX + 1)]
    assert pings.take(numbers[0], A) is None
    assert pings.take(numbers[1], A) is not None
