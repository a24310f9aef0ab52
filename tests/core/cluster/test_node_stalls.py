"""What was under way when a branch stood still ends before its next tick, and is not acted on."""

from __future__ import annotations

from dataclasses import replace

from cyme.core.cluster.effects import Examine, Prepare, Write
from cyme.core.cluster.fence import STALL_S
from cyme.core.cluster.ownership import OwnershipPolicy, Verdict
from cyme.core.model import Instance
from tests.core.cluster import known
from tests.core.cluster.nodes import FAILED, Branch, Network, agree, of

POLICY = OwnershipPolicy(majority_factor=1.0)

STILL_S = STALL_S + 1.0


def _cluster(network: Network) -> tuple[Branch, Branch, Instance]:
    """Return two branches, and an instance of the second."""
    one = network.add("a", policy=POLICY)
    other = network.add("b", joins=[one], policy=POLICY)
    network.until(lambda: agree([one, other]), 3.0)
    record = replace(known.instance("w"), owner=other.id, home=other.id)
    other.write(known.app("shop", 1), record)
    network.run(5.0)
    return one, other, record


def test_an_examination_that_ends_after_a_stall_claims_nothing() -> None:
    network = Network()
    one, other, record = _cluster(network)
    network.kill(other)
    network.until(lambda: one.state(other) is FAILED, 10.0)
    network.until(lambda: one.did(Examine) != [], 60.0)
    effects = one.node.on_examined(network.now + STILL_S, record, Verdict.FREE)
    assert one.node.fenced
    assert of(Write, effects) == []


def test_a_worker_that_runs_after_a_stall_is_not_owned_before_others_were_heard() -> None:
    network = Network()
    one, _, record = _cluster(network)
    one.do(one.node.take(network.now, record))
    effects = one.node.on_prepared(network.now + STILL_S, record, running=True)
    assert one.node.fenced
    assert of(Write, effects) == []


def test_nothing_is_taken_right_after_a_stall() -> None:
    network = Network()
    one, _, record = _cluster(network)
    effects = one.node.take(network.now + STILL_S, record)
    assert one.node.fenced
    assert of(Prepare, effects) == []
