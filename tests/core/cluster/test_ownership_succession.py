"""Who comes first when an instance is to be claimed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cyme.core.cluster import succession
from cyme.core.cluster.ownership import OwnershipPolicy
from cyme.core.cluster.succession import Succession
from cyme.core.model import BranchId
from tests.core import records
from tests.core.cluster.ownership_view import FakeView, instance

APP = records.app()


def _ranks(branches: list[str], name: str) -> dict[str, int | None]:
    order = Succession(OwnershipPolicy())
    order.look(FakeView(branches[0], *branches[1:]))
    return {branch: order.rank(BranchId(branch), instance(name), APP) for branch in branches}


@given(st.sets(st.text(min_size=1), min_size=1, max_size=9), st.text())
def test_every_candidate_has_a_place_of_its_own(branches: set[str], name: str) -> None:
    ranks = list(_ranks(sorted(branches), name).values())
    assert set(ranks) == set(range(len(branches)))


@given(st.sets(st.text(min_size=1), min_size=2, max_size=9), st.text())
def test_one_branch_less_changes_the_order_of_no_others(branches: set[str], name: str) -> None:
    gone, *rest = sorted(branches)

    def order(ranks: dict[str, int | None]) -> list[str]:
        return sorted(ranks, key=lambda branch: ranks[branch] or 0)

    assert [who for who in order(_ranks([gone, *rest], name)) if who != gone] == order(
        _ranks(rest, name)
    )


def test_what_a_branch_leaves_behind_is_spread_over_all_others() -> None:
    branches = [BranchId(f"b{n}") for n in range(10)]
    orphans = [instance(f"w{n}") for n in range(1000)]
    firsts = []
    for branch in branches:
        order = Succession(OwnershipPolicy())
        order.look(FakeView(*branches))
        firsts.append(sum(order.rank(branch, orphan, APP) == 0 for orphan in orphans))
    assert sum(firsts) == len(orphans)
    assert 70 <= min(firsts) <= max(firsts) <= 130


def test_a_thousand_orphans_are_ranked_a_bounded_number_at_a_look() -> None:
    branches = [f"b{n:03}" for n in range(200)]
    view = FakeView(*branches)
    order = Succession(OwnershipPolicy())
    orphans = [instance(f"w{n:04}", "x") for n in range(250)]
    ranked = []
    for _ in range(4):
        order.look(view)
        ranks = [order.rank(BranchId("b000"), orphan, APP) for orphan in orphans]
        ranked.append(sum(rank is not None for rank in ranks))
    assert ranked[0] == succession.HASHES_MAX // len(branches)
    assert ranked == [100, 200, 250, 250]


def test_ranks_are_worked_out_anew_when_the_candidates_change() -> None:
    view = FakeView("b1", "b2", "b3")
    order = Succession(OwnershipPolicy())
    order.look(view)
    assert order.rank(BranchId("b1"), instance("w0"), APP) is not None
    first = {f"w{n}": order.rank(BranchId("b1"), instance(f"w{n}"), APP) for n in range(30)}
    del view.states["b3"]
    order.look(view)
    second = {f"w{n}": order.rank(BranchId("b1"), instance(f"w{n}"), APP) for n in range(30)}
    assert set(first.values()) == {0, 1, 2}
    assert set(second.values()) == {0, 1}


def test_a_branch_that_is_no_candidate_has_no_rank() -> None:
    order = Succession(OwnershipPolicy())
    order.look(FakeView("b1"))
    assert order.rank(BranchId("b9"), instance("w"), APP) is None
