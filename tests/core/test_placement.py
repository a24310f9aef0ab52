from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.model import BranchId
from cyme.core.placement import Candidate, place
from cyme.errors import NotFound, TooLarge


def _candidate(name: str, instances: int = 0, instances_max: int = 10) -> Candidate:
    return Candidate(BranchId(name), instances, instances_max)


def test_puts_an_instance_where_the_caller_says() -> None:
    candidates = [_candidate("b1"), _candidate("b2")]
    assert {place(candidates, wanted="b2", seed=str(n)) for n in range(20)} == {"b2"}


def test_knows_no_branch_that_is_not_there() -> None:
    with pytest.raises(NotFound) as caught:
        place([_candidate("b1")], wanted="b9", seed="x")
    assert caught.value.kind == "branch"


def test_a_full_branch_takes_nothing() -> None:
    full, free = _candidate("b1", 10), _candidate("b2", 9)
    assert {place([full, free], wanted=None, seed=str(n)) for n in range(20)} == {"b2"}
    with pytest.raises(TooLarge, match="'b1' is full"):
        place([full, free], wanted="b1", seed="x")
    with pytest.raises(TooLarge, match="All branches are full"):
        place([full], wanted=None, seed="x")


@given(st.text(), st.permutations(["b1", "b2", "b3"]))
def test_everybody_chooses_the_same_for_the_same_seed(seed: str, order: list[str]) -> None:
    ordered = [_candidate(name) for name in sorted(order)]
    shuffled = [_candidate(name) for name in order]
    assert place(ordered, wanted=None, seed=seed) == place(shuffled, wanted=None, seed=seed)


def test_branches_are_chosen_in_proportion_to_their_room() -> None:
    candidates = [_candidate("b1", 0, 300), _candidate("b2", 200, 300)]
    chosen = Counter(place(candidates, wanted=None, seed=str(n)) for n in range(2000))
    assert 0.70 < chosen[BranchId("b1")] / 2000 < 0.80
