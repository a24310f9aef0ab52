"""A node in which nothing is under way is ticked more seldom, and is as punctual as any other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cyme.core.branches import BranchState
from cyme.core.cluster.messages import Beat
from cyme.core.cluster.node import TICK_S
from cyme.core.cluster.node.ticking import BEAT_S, BEAT_SPREAD, CALM_TICK_S
from tests.core.cluster import known
from tests.core.cluster.nodes import Branch, Network, calls_at


def _calm() -> tuple[Network, list[Branch]]:
    network = Network()
    branches = network.cluster(3)
    network.until(lambda: all(branch.node.calm for branch in branches), 10.0)
    return network, branches


def test_a_calm_node_beats_as_often_as_any_other() -> None:
    network, branches = _calm()
    began = network.now
    network.run(60.0)
    for branch in branches:
        beats = len(branch.said(Beat, began))
        assert beats >= 60.0 / (BEAT_S * (1 + BEAT_SPREAD) + TICK_S) - 1


def test_a_calm_node_is_ticked_seldom_and_never_late_for_what_is_due() -> None:
    network, (one, *_) = _calm()
    pauses = []
    for _ in range(200):
        pauses.append(one.node.pause_s(network.now))
        network.run(pauses[-1])
    assert max(pauses) == CALM_TICK_S
    assert min(pauses) >= TICK_S
    assert sum(pauses) / len(pauses) > 2 * TICK_S


def test_a_pause_that_was_granted_is_no_lateness_and_any_other_is() -> None:
    network, (one, *_) = _calm()
    network.run(30.0)
    assert one.node.lag_s == pytest.approx(0.0, abs=1e-6)
    network.pause(one)
    network.run(CALM_TICK_S + 1.0)
    network.wake(one)
    assert one.node.lag_s > 0.5
    network.run(10.0)
    assert one.node.lag_s < 0.01


def test_what_is_under_way_ends_the_calm_until_it_is_over() -> None:
    network, (one, other, _) = _calm()
    one.write(known.app("first"))
    one.write(known.app("second"))  # so soon after the first that it waits to be told
    assert not one.node.calm
    network.until(lambda: one.node.calm, 1.0)
    one.do(
        one.node.call(
            network.now, call="1", target=other.id, method="m", arguments=b"", timeout_s=60.0
        )
    )
    assert not one.node.calm
    assert one.node.pause_s(network.now) == TICK_S


def test_a_suspicion_ends_the_calm_of_all_who_know_of_it() -> None:
    network, (one, other, third) = _calm()
    network.kill(third)
    network.until(lambda: one.state(third) is BranchState.SUSPECT, 10.0)
    network.run(0.1)
    assert not one.node.calm
    assert not other.node.calm


def test_an_instance_whose_owner_is_gone_ends_the_calm_until_it_has_another() -> None:
    network, (one, other, third) = _calm()
    third.write(known.app("shop"), known.instance("w1", epoch=2))
    network.run(1.0)
    assert one.node.calm
    network.kill(third)
    network.until(lambda: one.state(third) is BranchState.FAILED, 15.0)
    network.run(2.0)
    for _ in range(50):  # for so long it is left to its owner
        network.run(0.5)
        assert not one.node.calm
        assert not other.node.calm
    other.write(replace(known.instance("w1", epoch=2), owner=other.id, epoch=3))
    network.until(lambda: one.node.calm and other.node.calm, 3.0)


def test_a_node_is_not_calm_before_it_may_act() -> None:
    network = Network()
    one = network.add("me", known=[calls_at("a")])
    network.run(1.0)
    assert one.node.fenced
    assert not one.node.calm
