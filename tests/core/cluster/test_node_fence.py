"""When a branch may act on what it owned, and when it may have lost it."""

from __future__ import annotations

import pytest

from cyme.core.cluster.effects import Reply, Tell
from cyme.core.cluster.fence import ALONE_S, PATIENCE_S, ROUND_S, STALL_S
from cyme.core.cluster.messages import (
    Beat,
    Buckets,
    Digest,
    Ping,
    Pong,
    Summaries,
    Welcome,
)
from cyme.core.cluster.node.ticking import ABSORB_S
from tests.core.cluster import known
from tests.core.cluster.nodes import (
    LINK,
    Branch,
    Network,
    agree,
    beat,
    calls_at,
    hello,
    messages,
    of,
    sender,
    word,
)


def _down(network: Network, branch: Branch, within_s: float = 60.0) -> float:
    """Wait until a branch may act; return how long that took."""
    return network.until(lambda: not branch.node.fenced, within_s)


# --- after a restart -----------------------------------------------------------------------------


def test_a_branch_that_was_restarted_acts_when_it_knows_what_another_one_does() -> None:
    network = Network()
    *others, killed = network.cluster(3)
    others[0].write(*(known.instance(f"w{number}", number + 1) for number in range(300)))
    network.run(2.0)
    network.kill(killed)
    network.run(1.0)
    others[0].write(*(known.instance(f"w{number}", 500 + number) for number in range(300)))
    network.run(2.0)
    again = network.restart(killed)
    assert again.node.fenced
    assert again.node.joined_at is None
    assert _down(network, again) < 1.0
    assert again.disk == others[0].disk
    assert again.node.joined_at == network.now
    assert again.told()[-1] == "branch.acts"


def test_it_does_not_act_before_what_it_learnt_is_durable() -> None:
    network = Network()
    other, killed = network.cluster(2)
    network.kill(killed)
    other.write(known.app("a"))
    killed.disk_s = 3.0
    again = network.restart(killed)
    network.run(2.9)
    assert again.node.fenced
    assert ("app", "a") not in again.disk
    assert _down(network, again) < 1.0
    assert ("app", "a") in again.disk


def test_what_is_never_written_is_not_waited_for_for_ever() -> None:
    network = Network()
    other, killed = network.cluster(2)
    network.kill(killed)
    other.write(known.app("a"))
    killed.disk_s = None
    again = network.restart(killed)
    assert _down(network, again) == pytest.approx(min(ABSORB_S, PATIENCE_S), abs=0.3)
    assert again.disk == {}


def test_where_both_know_the_same_an_answer_is_enough() -> None:
    network = Network()
    other, killed = network.cluster(2)
    network.kill(killed)
    again = network.restart(killed)
    assert _down(network, again) < 0.4
    assert again.said(Summaries) == []
    assert agree([other, again])


def test_a_branch_that_finds_nobody_acts_alone() -> None:
    network = Network()
    _, killed = branches = network.cluster(2)
    network.kill(*branches)
    again = network.restart(killed)
    assert _down(network, again) == pytest.approx(ALONE_S, abs=0.11)


def test_a_branch_that_hears_others_but_reaches_none_acts_in_the_end() -> None:
    network = Network()
    one = network.add("me", known=[calls_at("a")])
    while one.node.fenced:
        network.run(1.0)
        one.overhear(beat("a"))
        assert network.now < 1000.0 + PATIENCE_S + 1.0
    assert network.now >= 1000.0 + PATIENCE_S


def test_a_comparison_that_breaks_off_is_begun_anew() -> None:
    network = Network()
    *others, killed = network.cluster(3)
    network.run(2.0)
    network.kill(killed)
    others[0].write(known.app("a"))
    network.run(2.0)
    again = network.restart(killed)
    network.until(lambda: again.said(Digest) != [], 1.0)
    network.cut(others, [again])
    network.run(1.0)
    assert again.node.fenced
    network.heal()
    assert _down(network, again) == pytest.approx(ROUND_S - 1.0, abs=0.3)
    assert again.disk.keys() == others[0].disk.keys()


def test_while_it_is_fenced_it_compares_with_one_after_the_other() -> None:
    network = Network()
    *others, killed = network.cluster(6)
    network.run(2.0)
    network.kill(killed)
    network.run(1.0)
    network.loses = lambda source, target, message: isinstance(message, Pong) and source in others
    again = network.restart(killed)
    network.run(PATIENCE_S - 5.0)
    assert again.node.fenced
    assert len(again.said(Digest)) >= (PATIENCE_S - 10.0) / ROUND_S


def test_only_the_branch_that_it_compares_with_can_let_it_act() -> None:
    network = Network()
    one = network.add("me", known=[calls_at("a")])
    one.hear(Welcome(sender=sender("a"), admitted=True, statements=(word("a"), word("b"))))
    (first,) = one.said(Ping)
    assert first.target == "a"
    differing = tuple(digest ^ 1 for digest in one.node._table.digests())
    # Another branch has begun a comparison of its own, which changes nothing.
    effects = one.hear(Buckets(sender=sender("b"), digests=differing))
    assert len(messages(Summaries, effects)) == 1
    assert messages(Ping, effects) == []
    # The one that it compares with knows otherwise: a ping goes behind the question.
    effects = one.hear(Buckets(sender=sender("a"), digests=differing), LINK)
    assert [type(reply.message) for reply in of(Reply, effects)] == [Summaries, Ping]
    one.hear(Pong(sender=sender("a"), number=first.number, about=word("a")))
    network.run(0.2)
    assert one.node.fenced
    (second,) = messages(Ping, effects)
    one.hear(Pong(sender=sender("a"), number=second.number, about=word("a")))
    network.run(0.2)
    assert not one.node.fenced


def test_buckets_that_do_not_differ_need_no_second_answer() -> None:
    network = Network()
    one = network.add("me", known=[calls_at("a")])
    one.hear(Welcome(sender=sender("a"), admitted=True, statements=(word("a"),)))
    assert one.hear(Buckets(sender=sender("a"), digests=one.node._table.digests())) == []


def test_a_branch_that_has_not_joined_yet_compares_with_nobody() -> None:
    network = Network()
    one = network.add("me", known=[calls_at("nobody")])
    one.hear(hello("a"))
    network.run(2.5)
    assert not one.node.joined
    assert one.said(Digest) == []
    network.run(1.0)
    assert one.said(Digest) != []


def test_a_branch_that_knew_nobody_has_nothing_to_compare() -> None:
    network = Network()
    one = network.add("me", records=[known.instance("w")])
    assert not one.node.fenced
    assert one.node.joined_at == network.now


# --- after a stall -------------------------------------------------------------------------------


def test_a_branch_that_stood_still_for_long_compares_before_it_acts() -> None:
    network = Network()
    branches = network.cluster(3)
    one, other, _ = branches
    network.run(2.0)
    network.pause(one)
    network.run(STALL_S + 4.0)
    other.write(known.app("a"))
    network.run(5.0)
    began = network.now
    network.wake(one)
    assert one.node.fenced
    assert one.told(began) == ["branch.stalled"]
    assert _down(network, one) < 0.5
    assert ("app", "a") in one.disk
    assert one.node.joined_at is not None
    assert one.node.joined_at > began


def test_a_short_stall_raises_no_fence() -> None:
    network = Network()
    one, other = network.cluster(2)
    network.run(2.0)
    network.pause(one)
    network.run(STALL_S - 0.2)
    network.wake(one)
    assert not one.node.fenced
    assert "branch.stalled" not in one.told()
    network.run(1.0)
    assert agree([one, other])


def test_a_lone_branch_that_stood_still_acts_after_a_while() -> None:
    network = Network()
    one = network.add("a")
    network.run(2.0)
    network.pause(one)
    network.run(60.0)
    network.wake(one)
    assert one.node.fenced
    assert _down(network, one) == pytest.approx(ALONE_S, abs=0.11)


def test_the_reason_says_for_how_long_it_stood_still() -> None:
    network = Network()
    one = network.add("a")
    network.pause(one)
    network.run(60.0)
    network.wake(one)
    assert [tell.reason for tell in one.did(Tell)] == ["this branch stood still for 59.9 s"]
    assert one.said(Beat)[-1].lag_ms == 59900
