"""What becomes of a cluster that fell apart, and of those who are gone for good."""

from __future__ import annotations

import pytest

from cyme.core.cluster import membership
from cyme.core.cluster.messages import Digest, Items, Ping, Rumours
from cyme.core.cluster.node import ticking
from cyme.core.cluster.node.learning import RETURNED_MAX
from cyme.core.cluster.node.ticking import COMPARE_S, TRY_FAILED_S
from tests.core.cluster import known
from tests.core.cluster.nodes import (
    ALIVE,
    FAILED,
    LEFT,
    Network,
    agree,
    beat,
    calls_at,
    hello,
    rumour,
    sender,
    word,
)


@pytest.mark.parametrize(("some", "others"), [(1, 1), (1, 5), (3, 3), (10, 10)])
def test_a_partition_that_heals_is_soon_forgotten(some: int, others: int) -> None:
    network = Network()
    branches = network.cluster(some + others)
    here, there = branches[:some], branches[some:]
    network.cut(here, there)
    network.run(30.0)
    assert all(one.state(other) is FAILED for one in here for other in there)
    assert all(other.state(one) is FAILED for one in here for other in there)
    here[0].write(known.app("a", 1), known.queue("q", 2))
    there[0].write(known.app("a", 2), known.queue("q", 1))
    network.run(15.0)
    network.heal()
    took_s = network.until(lambda: agree(branches), 5.0)
    assert took_s <= TRY_FAILED_S * 1.3
    network.run(5.0)
    assert agree(branches)
    for branch in branches:
        assert set(branch.disk.values()) == {known.app("a", 2), known.queue("q", 2)}


def test_those_that_failed_are_tried_now_and_then_one_at_a_time() -> None:
    network = Network()
    one = network.add("me")
    network.run(1.0)
    for name in "abc":
        one.hear(hello(name))
        said = rumour("a", 1, word(name, FAILED, by=name))
        one.overhear(Rumours(sender=sender(name), number=1, rumours=(said,)))
        one.hear(Items(sender=sender(name), items=(word(name, FAILED, by=name),)))
    began = network.now
    network.run(60.0)
    tried = [ping for ping in one.said(Ping, began) if ping.target != "me"]
    assert 60.0 / TRY_FAILED_S / 1.3 <= len(tried) <= 60.0 / TRY_FAILED_S / 0.7
    assert {ping.target for ping in tried} == {"a", "b", "c"}
    assert all(ping.about == word(ping.target, FAILED) for ping in tried)


def test_those_that_left_are_not_tried() -> None:
    network = Network()
    one = network.add("me")
    network.run(1.0)
    one.hear(Items(sender=sender("b"), items=(word("a", LEFT),)))
    network.run(30.0)
    assert [ping for ping in one.said(Ping) if ping.target == "a"] == []


def test_branches_compare_with_one_another_all_the_time() -> None:
    network = Network()
    branches = network.cluster(3)
    began = network.now
    network.run(10 * COMPARE_S)
    for branch in branches:
        assert 7 <= len(branch.said(Digest, began)) <= 14


def test_a_comparison_tells_how_long_ago_others_were_heard_of() -> None:
    network = Network()
    one = network.add("me")
    network.run(1.0)
    one.hear(hello("a"))
    one.hear(hello("b"))
    network.run(2.0)
    one.overhear(beat("a"))
    network.until(lambda: one.said(Digest, network.now) != [], 15.0)
    (digest,) = one.said(Digest, network.now)
    (a, a_s), (b, b_s) = digest.ages_s
    assert (a, b) == ("a", "b")
    assert b_s == pytest.approx(a_s + 2.0, abs=0.11)


def test_how_long_ago_others_were_heard_of_is_learnt() -> None:
    network = Network()
    one = network.add("me")
    network.run(1.0)
    one.hear(hello("a"))
    network.run(10.0)
    heard_at = one.node.heard_at("a")
    ages = ((word("a").branch, 4.0), (word("x").branch, 1.0))
    one.hear(Digest(sender=sender("b"), digest=0, ages_s=ages))
    assert one.node.heard_at("a") == pytest.approx(network.now - 4.0)
    assert one.node.heard_at("a") > heard_at
    assert one.node.heard_at("x") == 0.0


def test_those_of_whom_nobody_has_heard_for_long_are_not_told_of() -> None:
    network = Network()
    one = network.add("me")
    network.run(1.0)
    one.hear(hello("a"))
    # It is not there, but nobody can say so for want of time.
    network.pause(one)
    network.run(200.0)
    network.wake(one)
    network.until(lambda: one.said(Digest, network.now) != [], 15.0)
    assert one.said(Digest)[-1].ages_s == ()


def test_whoever_comes_back_is_compared_with_at_once() -> None:
    network = Network()
    one = network.add("me")
    network.run(1.0)
    one.hear(hello("a"))
    one.hear(Items(sender=sender("a"), items=(word("a", FAILED),)))
    began = network.now
    one.hear(Items(sender=sender("b"), items=(word("a", incarnation=1),)))
    assert one.state("a") is ALIVE
    network.run(0.2)
    assert len(one.said(Digest, began)) == 1


def test_those_that_come_back_are_compared_with_one_after_the_other() -> None:
    network = Network()
    one = network.add("me")
    network.run(1.0)
    names = [f"a{number}" for number in range(6)]
    for name in names:
        one.hear(Items(sender=sender("b"), items=(word(name, FAILED),)))
    began = network.now
    for name in names:
        one.hear(Items(sender=sender("b"), items=(word(name, incarnation=1),)))
    one.hear(Items(sender=sender("b"), items=(word("a3", FAILED, incarnation=1),)))
    network.run(2.2)
    assert 3 <= len(one.said(Digest, began)) <= 5
    network.run(2.0)
    assert len(one.said(Digest, began)) in (5, 6)  # all that are there, and one at its own time


def test_only_so_many_that_came_back_wait_for_their_turn() -> None:
    network = Network()
    one = network.add("me")
    for number in range(RETURNED_MAX + 10):
        one.node._compare_soon(word(f"a{number}").branch)
    assert len(one.node._returned) == RETURNED_MAX


def test_whoever_sends_many_items_at_once_is_asked_whether_it_has_more() -> None:
    network = Network()
    one = network.add("me")
    network.run(1.0)
    one.hear(hello("b"))
    few = tuple(known.app(f"a{number}", 1) for number in range(99))
    began = network.now
    one.hear(Items(sender=sender("b"), items=few))
    network.run(0.3)
    assert one.said(Digest, began) == []
    many = tuple(known.app(f"b{number}", 1) for number in range(100))
    one.hear(Items(sender=sender("b"), items=many))
    one.hear(Items(sender=sender("x"), items=tuple(known.app(f"c{n}", 1) for n in range(100))))
    network.run(1.2)
    assert len(one.said(Digest, began)) == 1  # nobody knows where the other one is


def test_whoever_is_gone_for_days_is_forgotten_by_all_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(membership, "GONE_S", 100.0)
    network = Network()
    branches = [network.add("a")]
    for name in "bcd":
        network.run(13.0)
        branches.append(network.add(name, joins=[branches[0]]))
    network.run(5.0)
    *others, dead = branches
    network.kill(dead)
    network.run(99.0)
    assert all(branch.state(dead) is FAILED for branch in others)
    network.run(15.0 + ticking.FORGET_PERIOD_S)
    assert all(branch.state(dead) is None for branch in others)
    assert all(calls_at(dead.host) not in branch.known for branch in others)
    network.run(60.0)
    assert all(branch.sees() == dict.fromkeys(["a", "b", "c"], ALIVE) for branch in others)
    assert agree(others)
    newcomer = network.add("e", joins=[others[1]])
    network.run(15.0)
    assert agree([*others, newcomer])
    assert newcomer.state(dead) is None
    back = network.restart(dead)
    network.until(lambda: agree([*others, newcomer, back]), 3.0)


def test_nothing_is_known_of_a_branch_that_is_not_known() -> None:
    network = Network()
    one = network.add("me")
    assert one.node.word("x") is None
    assert one.state("x") is None
    assert (one.node.state_since("x"), one.node.heard_at("x")) == (0.0, 0.0)
    one.hear(hello("x"))
    assert (one.node.state_since("x"), one.node.heard_at("x")) == (network.now, network.now)
    assert one.node.word("me") == one.node.statement
