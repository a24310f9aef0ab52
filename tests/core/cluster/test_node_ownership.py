"""What a node passes on between its driver and the rules of ownership."""

from __future__ import annotations

from dataclasses import replace

from cyme.core.cluster.effects import Abandon, Examine, Prepare, Tell, Write
from cyme.core.cluster.ownership import OwnershipPolicy, Verdict
from cyme.core.model import BranchId, Instance
from tests.core.cluster import known
from tests.core.cluster.nodes import FAILED, Branch, Network, agree, of

POLICY = OwnershipPolicy(majority_factor=1.0)


def _cluster(network: Network) -> tuple[Branch, Branch, Instance]:
    """Return two branches, and an instance of the second."""
    one = network.add("a", policy=POLICY)
    other = network.add("b", joins=[one], policy=POLICY)
    network.until(lambda: agree([one, other]), 3.0)
    record = replace(known.instance("w"), owner=other.id, home=other.id)
    other.write(known.app("shop", 1), record)
    network.run(5.0)
    return one, other, record


def test_an_instance_that_another_branch_gives_up_is_prepared_and_then_owned() -> None:
    network = Network()
    one, other, record = _cluster(network)
    assert one.do(one.node.take(network.now, record)) == [Prepare(record)]
    assert one.node.keeps("w")
    (write,) = of(Write, one.do(one.node.on_prepared(network.now, record, running=True)))
    assert (write.instance.owner, write.instance.epoch) == (one.id, 2)
    network.run(0.5)
    assert not one.node.keeps("w")
    assert one.disk[("instance", "w")] == other.disk[("instance", "w")] == write.instance


def test_an_instance_that_cannot_be_prepared_is_left_where_it_is() -> None:
    network = Network()
    one, _, record = _cluster(network)
    one.do(one.node.take(network.now, record))
    effects = one.do(
        one.node.on_prepared(network.now, record, running=False, why="there is no python")
    )
    assert of(Abandon, effects) == [Abandon(record)]
    assert of(Write, effects) == []
    assert "there is no python" in of(Tell, effects)[0].reason


def test_what_could_not_be_written_is_not_owned() -> None:
    network = Network()
    one, _, record = _cluster(network)
    one.disk_s = None
    one.do(one.node.take(network.now, record))
    (write,) = of(Write, one.do(one.node.on_prepared(network.now, record, running=True)))
    one.do(one.node.on_not_written(network.now, write.instance))
    network.run(POLICY.retry_s + 1.0)
    assert one.did(Write) == [write, write]
    assert one.node._view.owned(one.id) == 0


def test_the_instance_of_a_branch_that_failed_is_examined_and_claimed() -> None:
    network = Network()
    one, other, record = _cluster(network)
    network.kill(other)
    network.until(lambda: one.state(other) is FAILED, 10.0)
    assert POLICY.takeover_s is not None
    waited_s = network.until(lambda: one.did(Examine) != [], 60.0)
    assert waited_s >= POLICY.takeover_s - 1.0
    assert one.did(Examine) == [Examine(record)]
    (write,) = of(
        Write, one.do(one.node.on_examined(network.now, record, Verdict.FREE, "nobody answers"))
    )
    assert (write.instance.owner, write.instance.home, write.instance.epoch) == ("a", "b", 2)
    network.run(0.5)
    assert [each.name for each in one.node._view.owned_by(one.id)] == ["w"]
    assert one.told()[-1] == "instance.claimed"


def test_a_branch_that_is_still_starting_takes_nothing() -> None:
    network = Network()
    record = replace(known.instance("w"), owner=BranchId("x"), home=BranchId("x"))
    hasty = OwnershipPolicy(takeover_s=0.1, settle_s=0.1, majority_factor=1.0)
    one = network.add("a", joins=["nobody"], records=[known.app("shop", 1), record], policy=hasty)
    network.run(2.5)
    assert not one.node.joined
    assert one.did(Examine) == []
    network.run(2.5)
    assert one.did(Examine) == [Examine(record)]
