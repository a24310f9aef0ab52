"""What a branch says of itself: that it changed, that it is about to stop, that it has."""

from __future__ import annotations

from dataclasses import replace

from cyme.core.cluster.messages import Beat, Ping, Rumours
from tests.core.cluster import known
from tests.core.cluster.nodes import (
    ALIVE,
    FAILED,
    LEAVING,
    LEFT,
    SUSPECT,
    Network,
    agree,
    calls_at,
    hello,
    messages,
    rumour,
    sender,
    word,
)


def test_a_change_of_what_a_branch_says_of_itself_is_known_to_all() -> None:
    network = Network()
    branches = network.cluster(3)
    network.run(2.0)
    one = branches[0]
    drained = replace(one.node.statement.profile, drained=True)
    one.do(one.node.change_profile(network.now, drained))
    network.run(0.1)
    assert agree(branches)
    assert one.node.statement.incarnation == 1
    for branch in branches:
        said = branch.node.word("b0")
        assert said is not None
        assert said.profile.drained
    assert one.node._view.profile == drained


def test_a_branch_that_is_about_to_stop_is_there_until_it_has_left() -> None:
    network = Network()
    *others, one = network.cluster(3)
    network.run(2.0)
    one.do(one.node.leave(network.now))
    network.run(5.0)
    assert all(branch.state(one) is LEAVING for branch in (*others, one))
    assert "branch.suspect" not in others[0].told()
    began = network.now
    effects = one.do(one.node.left(network.now))
    (last, again, once_more) = messages(Rumours, effects)
    assert last == again == once_more
    network.run(3.0)
    assert one.said(Beat, began) == []
    network.kill(one)
    network.run(60.0)
    assert all(branch.state(one) is LEFT for branch in others)
    assert all(branch.told()[-2:] == ["branch.leaving", "branch.left"] for branch in others)
    assert all(calls_at(one.host) not in branch.known for branch in others)


def test_whoever_is_about_to_stop_and_dies_has_failed() -> None:
    network = Network()
    *others, one = network.cluster(3)
    network.run(2.0)
    one.do(one.node.leave(network.now))
    network.run(0.5)
    network.kill(one)
    network.until(lambda: all(branch.state(one) is FAILED for branch in others), 10.0)


def test_whoever_is_suspected_while_it_is_about_to_stop_is_about_to_stop_still() -> None:
    network = Network()
    me = network.add("me")
    network.run(1.0)
    me.hear(hello("a"))
    me.do(me.node.leave(network.now))
    said = word("me", SUSPECT, by="a", incarnation=1)
    me.hear(Ping(sender=sender("a"), number=1, target=me.id, about=said))
    assert (me.node.statement.state, me.node.statement.incarnation) == (LEAVING, 2)


def test_all_that_waits_is_told_before_the_last_word() -> None:
    network = Network()
    one, other = network.cluster(2)
    network.run(2.0)
    passed_on = [rumour("x", number, known.app(f"a{number}", 1)) for number in range(1000)]
    one.overhear(Rumours(sender=sender("x"), number=1, rumours=tuple(passed_on)))
    one.write(*(known.app(f"late{number}", 1) for number in range(500)))
    one.do(one.node.left(network.now))
    network.kill(one)
    network.run(0.5)
    assert other.state(one) is LEFT
    assert ("app", "late499") in other.disk


def test_whoever_left_and_comes_back_is_alive_again() -> None:
    network = Network()
    *others, one = network.cluster(3)
    one.do(one.node.leave(network.now))
    one.do(one.node.left(network.now))
    network.run(0.1)
    network.kill(one)
    network.run(5.0)
    back = network.restart(one)
    network.until(lambda: agree([*others, back]), 1.0)
    assert all(branch.state(back) is ALIVE for branch in others)
