from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.labels import Labels
from cyme.core.model import BranchId, Instance
from cyme.core.placement import Candidate, Move, evacuate, place, rebalance
from cyme.errors import Conflict, NotFound, TooLarge
from tests.core import records

SSD: Labels = (("disk", "ssd"),)
ZONE_A: Labels = (("zone", "a"),)
ZONE_B: Labels = (("zone", "b"),)
BOTH: Labels = (*SSD, *ZONE_A)


def _candidate(
    name: str,
    instances: int = 0,
    instances_max: int = 10,
    labels: Labels = (),
    *,
    drained: bool = False,
) -> Candidate:
    return Candidate(BranchId(name), instances, instances_max, labels, drained)


def _instance(
    name: str, owner: str, labels: Labels | None = None, *, pinned: bool = False
) -> Instance:
    made = records.instance(name, labels=labels)
    return replace(made, home=BranchId(owner), owner=BranchId(owner), pinned=pinned)


# --- a new instance ------------------------------------------------------------------------------


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
    with pytest.raises(TooLarge, match=r"All branches are full \(10 instances\)"):
        place([full], wanted=None, seed="x")
    with pytest.raises(TooLarge, match="All branches are full"):
        place([], wanted=None, seed="x")


@given(st.text(), st.permutations(["b1", "b2", "b3"]))
def test_everybody_chooses_the_same_for_the_same_seed(seed: str, order: list[str]) -> None:
    ordered = [_candidate(name) for name in sorted(order)]
    shuffled = [_candidate(name) for name in order]
    assert place(ordered, wanted=None, seed=seed) == place(shuffled, wanted=None, seed=seed)


def test_branches_are_chosen_in_proportion_to_their_room() -> None:
    candidates = [_candidate("b1", 0, 300), _candidate("b2", 200, 300)]
    chosen = Counter(place(candidates, wanted=None, seed=str(n)) for n in range(2000))
    assert 0.70 < chosen[BranchId("b1")] / 2000 < 0.80


def test_an_instance_goes_only_where_all_its_labels_are() -> None:
    candidates = [
        _candidate("b1", labels=ZONE_A),
        _candidate("b2", labels=BOTH),
        _candidate("b3", labels=(*SSD, *ZONE_B)),
        _candidate("b4"),
    ]
    chosen = {place(candidates, wanted=None, labels=BOTH, seed=str(n)) for n in range(20)}
    assert chosen == {"b2"}
    assert place(candidates, wanted="b2", labels=SSD, seed="x") == "b2"


@pytest.mark.parametrize(
    ("wanted", "labels", "why"),
    [
        ("b1", BOTH, "Branch 'b1' lacks the label disk=ssd, which the instance needs"),
        ("b1", (*SSD, *ZONE_B), "lacks the labels disk=ssd,zone=b,"),
        (
            None,
            (("gpu", "1"), *ZONE_A),
            "No living branch that it could go to has the label gpu=1,",
        ),
        (None, BOTH, "could go to has the labels disk=ssd,zone=a together"),
    ],
)
def test_says_which_labels_are_missing(wanted: str | None, labels: Labels, why: str) -> None:
    candidates = [_candidate("b1", labels=ZONE_A), _candidate("b2", labels=(*SSD, *ZONE_B))]
    with pytest.raises(Conflict, match=why):
        place(candidates, wanted=wanted, labels=labels, seed="x")


def test_where_all_that_have_the_labels_are_full_only_those_are_counted() -> None:
    candidates = [_candidate("b1", 10, labels=ZONE_A), _candidate("b2")]
    with pytest.raises(TooLarge, match=r"with the label zone=a are full \(10 instances\)"):
        place(candidates, wanted=None, labels=ZONE_A, seed="x")


def test_a_drained_branch_takes_nothing() -> None:
    drained = _candidate("b1", labels=ZONE_A, drained=True)
    assert {place([drained, _candidate("b2")], wanted=None, seed=str(n)) for n in range(20)} == {
        "b2"
    }
    with pytest.raises(Conflict, match="Branch 'b1' is drained and takes no instances"):
        place([drained, _candidate("b2")], wanted="b1", seed="x")
    with pytest.raises(Conflict, match="All branches with the label zone=a are drained"):
        place([drained, _candidate("b2")], wanted=None, labels=ZONE_A, seed="x")
    with pytest.raises(Conflict, match="All branches are drained"):
        place([drained], wanted=None, seed="x")


# --- clusters of any kind ------------------------------------------------------------------------

_label_sets: list[Labels] = [(), SSD, ZONE_A, BOTH]


@st.composite
def _clusters(draw: st.DrawFn) -> tuple[list[Instance], list[Candidate]]:
    """Return the instances of a cluster and its branches; some of a branch that is not there."""
    names = [f"b{n}" for n in range(draw(st.integers(1, 5)))]
    instances = [
        _instance(f"w{n}", owner, labels, pinned=pinned)
        for n, (owner, labels, pinned) in enumerate(
            draw(
                st.lists(
                    st.tuples(
                        st.sampled_from([*names, "gone"]),
                        st.sampled_from([None, *_label_sets]),
                        st.integers(0, 5).map(lambda chance: chance == 0),
                    ),
                    max_size=30,
                )
            )
        )
    ]
    owned = Counter(instance.owner for instance in instances)
    candidates = [
        _candidate(
            name,
            owned[BranchId(name)],
            draw(st.integers(0, 20)),
            draw(st.sampled_from(_label_sets)),
            drained=draw(st.integers(0, 4)) == 0,
        )
        for name in names
    ]
    return instances, candidates


def _after(candidates: Sequence[Candidate], moves: Sequence[Move]) -> dict[str, Candidate]:
    """Return the branches as they are after the moves."""
    branches: dict[str, Candidate] = {each.branch: each for each in candidates}
    for move in moves:
        branches[move.source] = branches[move.source].with_more(-1)
        if move.target is not None:
            branches[move.target] = branches[move.target].with_more(1)
    return branches


# --- evening out ---------------------------------------------------------------------------------


def test_evens_out_what_is_uneven() -> None:
    instances = [_instance(f"w{n}", "b1") for n in range(5)]
    candidates = [_candidate("b1", 5), _candidate("b2"), _candidate("b3")]
    assert rebalance(instances, candidates, 10) == [
        Move(instances[0].name, BranchId("b1"), BranchId("b2")),
        Move(instances[1].name, BranchId("b1"), BranchId("b3")),
        Move(instances[2].name, BranchId("b1"), BranchId("b2")),
    ]
    assert len(rebalance(instances, candidates, 2)) == 2


def test_a_branch_of_twice_the_room_gets_twice_as_many() -> None:
    instances = [_instance(f"w{n}", "b1") for n in range(9)]
    moves = rebalance(instances, [_candidate("b1", 9, 10), _candidate("b2", 0, 20)], 99)
    assert {(move.source, move.target) for move in moves} == {("b1", "b2")}
    assert len(moves) == 6


def test_leaves_alone_what_is_even_but_for_one_instance() -> None:
    instances = [_instance("w1", "b1")]
    assert rebalance(instances, [_candidate("b1", 1), _candidate("b2", 0)], 10) == []
    assert rebalance([], [], 10) == []


def test_what_is_pinned_or_deleted_is_not_moved() -> None:
    pinned = [_instance(f"w{n}", "b1", pinned=True) for n in range(5)]
    deleted = replace(_instance("x", "b1"), deleted=True)
    candidates = [_candidate("b1", 6), _candidate("b2")]
    assert rebalance([*pinned, deleted], candidates, 10) == []


def test_what_suits_no_emptier_branch_lets_others_go_first() -> None:
    instances = [_instance(f"w{n}", "b1", ZONE_A if n < 3 else ()) for n in range(6)]
    candidates = [_candidate("b1", 6, labels=ZONE_A), _candidate("b2")]
    moves = rebalance(instances, candidates, 10)
    assert [move.instance for move in moves] == ["w3", "w4", "w5"]


def test_a_branch_that_runs_more_than_it_may_gives_to_one_that_has_room() -> None:
    instances = [_instance(f"w{n}", "b1") for n in range(3)]
    candidates = [_candidate("b1", 3, 0), _candidate("b2", 9, 10), _candidate("b3", 4, 4)]
    assert [move.target for move in rebalance(instances, candidates, 10)] == ["b2"]


@given(_clusters(), st.integers(0, 40))
def test_moves_keep_every_rule(
    cluster: tuple[list[Instance], list[Candidate]], moves_max: int
) -> None:
    instances, candidates = cluster
    moves = rebalance(instances, candidates, moves_max)
    assert moves == rebalance(instances[::-1], candidates[::-1], moves_max)
    assert len(moves) <= moves_max
    by_name = {instance.name: instance for instance in instances}
    branches = {candidate.branch: candidate for candidate in candidates}
    assert len({move.instance for move in moves}) == len(moves)
    for move in moves:
        instance = by_name[move.instance]
        assert move.target is not None
        assert not instance.pinned
        assert instance.owner == move.source != move.target
        assert branches[move.target].suits(instance.spec.labels or ())
        assert not branches[move.source].drained
    for branch, after in _after(candidates, moves).items():
        assert after.instances <= max(after.instances_max, branches[BranchId(branch)].instances)


@given(_clusters())
def test_nothing_is_left_that_would_even_out_more(
    cluster: tuple[list[Instance], list[Candidate]],
) -> None:
    instances, candidates = cluster
    moves = rebalance(instances, candidates, 1000)
    moved = {move.instance for move in moves}
    branches = _after(candidates, moves)
    stayed = [
        each
        for each in instances
        if each.name not in moved and not each.pinned and each.owner in branches
    ]
    for instance, target in product(stayed, branches.values()):
        source = branches[instance.owner]
        if target.suits(instance.spec.labels or ()) and target.free and not source.drained:
            assert source.fullness() <= target.fullness(1)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=5))
def test_no_move_is_in_vain(owned: list[int]) -> None:
    instances = [
        _instance(f"w{branch}-{n}", f"b{branch}")
        for branch, count in enumerate(owned)
        for n in range(count)
    ]
    candidates = [_candidate(f"b{branch}", count, 12) for branch, count in enumerate(owned)]
    moves = rebalance(instances, candidates, 1000)
    level, more = divmod(sum(owned), len(owned))
    # With branches alike the fewest moves take what is over the level off the fullest, or fill
    # those under it, whichever is more.
    over = sum(max(0, count - level - 1) for count in owned)
    under = sum(max(0, level - count) for count in owned)
    needed = max(over if more else sum(max(0, count - level) for count in owned), under)
    assert len(moves) == needed
    after = [branch.instances for branch in _after(candidates, moves).values()]
    assert max(after) - min(after) <= 1


# --- draining ------------------------------------------------------------------------------------


def test_the_instances_of_a_drained_branch_spread_over_the_others() -> None:
    instances = [_instance(f"w{n}", "b1") for n in range(3)]
    candidates = [
        _candidate("b1", 3, drained=True),
        _candidate("b2", 1, 10),
        _candidate("b3", 0, 10),
    ]
    assert [(move.instance, move.target) for move in evacuate(instances, candidates)] == [
        ("w0", "b3"),
        ("w1", "b2"),
        ("w2", "b3"),
    ]


def test_who_suits_few_branches_chooses_first() -> None:
    anywhere, only_a = _instance("a", "b1"), _instance("z", "b1", ZONE_A)
    candidates = [_candidate("b2", 9, 10, ZONE_A), _candidate("b3", 99, 100)]
    moves = evacuate([anywhere, only_a], candidates)
    assert [(move.instance, move.target) for move in moves] == [("a", "b3"), ("z", "b2")]


@pytest.mark.parametrize(
    ("labels", "others", "why"),
    [
        ((), [], "there is no other living branch"),
        (ZONE_A, [_candidate("b2")], "no other living branch has the label zone=a"),
        ((), [_candidate("b2", drained=True)], "all other branches that it suits are drained"),
        ((), [_candidate("b2", 10)], "all other branches that it suits are full"),
    ],
)
def test_says_why_an_instance_can_go_nowhere(
    labels: Labels, others: list[Candidate], why: str
) -> None:
    (move,) = evacuate([_instance("w", "b1", labels)], [_candidate("b1", 1), *others])
    assert (move.target, move.reason) == (None, why)


def test_what_is_pinned_stays() -> None:
    (move,) = evacuate([_instance("w", "b1", pinned=True)], [_candidate("b2")])
    assert (move.target, move.reason) == (None, "it is pinned to branch 'b1'")


@given(_clusters())
def test_everything_goes_that_can(cluster: tuple[list[Instance], list[Candidate]]) -> None:
    everything, candidates = cluster
    instances = [instance for instance in everything if instance.owner == "b0"]
    moves = evacuate(instances, candidates)
    assert moves == evacuate(instances[::-1], candidates[::-1])
    assert [move.instance for move in moves] == sorted(instance.name for instance in instances)
    by_name = {instance.name: instance for instance in instances}
    branches = _after(candidates, moves)
    for move in moves:
        instance = by_name[move.instance]
        labels = instance.spec.labels or ()
        if move.target is None:
            others = [each for each in branches.values() if each.branch != "b0"]
            able = [each for each in others if each.suits(labels) and each.free]
            assert instance.pinned or not able
            assert move.reason
        else:
            assert not instance.pinned
            assert branches[move.target].suits(labels)
            assert branches[move.target].instances <= branches[move.target].instances_max
            assert not move.reason
