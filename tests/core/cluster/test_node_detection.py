"""Branches beat, and who is silent is asked after and held to have failed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cyme.core.cluster.effects import Reply, Send
from cyme.core.cluster.messages import Beat, Ping, PingRequest, Pong, Rumours
from cyme.core.cluster.node.ticking import HELPERS
from tests.core.cluster.detecting import FAILED_S_MAX, lone, unanimous
from tests.core.cluster.nodes import ALIVE, FAILED, Network, agree, beat, calls_at, sender, word

# --- beats ---------------------------------------------------------------------------------------


def test_a_branch_beats_every_second_more_or_less() -> None:
    network, me = lone()
    network.run(60.0)
    beats = [at for at, effect in me.effects if effect in me.did(type(effect)) and _is_beat(effect)]
    gaps = [later - sooner for sooner, later in pairwise(beats)]
    assert all(0.9 <= gap <= 1.2 for gap in gaps)  # the next tick is up to 0.1 s away
    assert max(gaps) - min(gaps) > 0.1
    assert 52 <= len(beats) <= 64


def _is_beat(effect: object) -> bool:
    return isinstance(getattr(effect, "message", None), Beat)


def test_a_beat_tells_who_it_is_what_was_told_and_what_is_known() -> None:
    network, me = lone("a")
    network.run(2.0)
    latest = me.said(Beat)[-1]
    assert latest.sender == sender("me")
    assert latest.head == me.said(Rumours)[-1].number > 1
    assert latest.digest == me.node.digest
    assert latest.lag_ms == 0


def test_a_beat_tells_by_how_much_the_branch_was_late() -> None:
    network, me = lone()
    network.pause(me)
    network.run(2.0)
    network.wake(me)
    assert me.node.lag_s == pytest.approx(1.9, abs=0.2)
    assert me.said(Beat)[-1].lag_ms == pytest.approx(1900, abs=200)
    network.run(5.0)
    assert me.node.lag_s < 0.05


# --- silence -------------------------------------------------------------------------------------


def test_whoever_is_silent_is_pinged_directly_and_through_three_others() -> None:
    network = Network()
    branches = network.cluster(8)
    network.run(2.0)
    one, dead = branches[0], branches[-1]
    network.kill(dead)
    began = network.now
    network.run(3.5)
    pings = [effect for effect in one.did(Send, began) if isinstance(effect.message, Ping)]
    requests = [
        effect for effect in one.did(Send, began) if isinstance(effect.message, PingRequest)
    ]
    assert [
        (ping.endpoint, ping.message.target) for ping in pings if isinstance(ping.message, Ping)
    ][:1] == [(calls_at("b7"), "b7")]
    assert len({request.endpoint for request in requests}) == HELPERS == 3
    assert calls_at("b7") not in {request.endpoint for request in requests}
    assert all(asked.about == word("b7") for asked in one.said(PingRequest, began))


def test_whoever_is_silent_is_not_asked_to_ping_itself() -> None:
    network = Network()
    one, _, dead = network.cluster(3)
    network.run(2.0)
    network.kill(dead)
    network.until(lambda: one.said(PingRequest) != [], 5.0)
    requests = [each for each in one.did(Send) if isinstance(each.message, PingRequest)]
    assert [request.endpoint for request in requests] == [calls_at("b1")]


@pytest.mark.parametrize("count", [2, 3, 4, 5, 12, 20])
def test_a_death_is_known_to_all_within_ten_seconds(count: int) -> None:
    network = Network()
    branches = network.cluster(count)
    network.run(2.3)
    *survivors, dead = branches
    network.kill(dead)
    took_s = network.until(lambda: unanimous(survivors, dead, FAILED), FAILED_S_MAX)
    assert took_s > 5.0
    assert len({branch.node.digest for branch in survivors}) == 1
    events = [kind for branch in survivors for kind in branch.told() if kind == "branch.failed"]
    assert len(events) == len(survivors)
    assert all(branch.state(each) is ALIVE for branch in survivors for each in survivors)


def test_several_deaths_in_a_larger_cluster_are_known_as_fast() -> None:
    network = Network()
    branches = network.cluster(20)
    network.run(2.0)
    dead, survivors = branches[3:8], branches[:3] + branches[8:]
    network.kill(*dead)
    network.until(
        lambda: all(unanimous(survivors, each, FAILED) for each in dead), FAILED_S_MAX + 2.0
    )
    network.run(20.0)
    assert agree(survivors)


def test_whoever_one_alone_cannot_hear_is_not_accused() -> None:
    network = Network()
    branches = network.cluster(4)
    network.cut(branches[:1], branches[1:2])
    network.run(60.0)
    assert all(
        branch.sees() == dict.fromkeys(["b0", "b1", "b2", "b3"], ALIVE) for branch in branches
    )
    assert not any("branch.suspect" in branch.told() for branch in branches)


def test_whoever_answers_pings_is_not_accused_though_none_of_its_beats_arrives() -> None:
    network = Network()
    one, other, *_ = network.cluster(3)
    network.loses = lambda source, target, message: (
        source is other and isinstance(message, Beat | Rumours)
    )
    network.run(60.0)
    assert "branch.suspect" not in one.told()


def test_a_ping_is_answered_under_its_number_by_whom_it_means_alone() -> None:
    _network, me = lone("a")
    ping = Ping(sender=sender("a"), number=70, target=me.id, about=None)
    (answer,) = me.hear(ping, b"way back")
    assert answer == Reply(
        b"way back", Pong(sender=sender("me"), number=70, about=me.node.statement)
    )
    assert me.hear(Ping(sender=sender("a"), number=71, target=word("b").branch, about=None)) == []


def test_a_branch_pings_for_another_and_passes_the_answer_on_under_its_number() -> None:
    _network, me = lone("a", "b")
    (asked,) = me.hear(PingRequest(sender=sender("a"), number=70, about=word("b")), b"to a")
    assert isinstance(asked, Send)
    assert isinstance(asked.message, Ping)
    assert asked.endpoint == calls_at("b")
    assert (asked.message.target, asked.message.about) == ("b", word("b"))
    answer = Pong(sender=sender("b"), number=asked.message.number, about=word("b"))
    told = Reply(b"to a", Pong(sender=sender("me"), number=70, about=word("b")))
    assert me.hear(answer, b"to b") == [told]
    assert me.hear(answer, b"to b") == []


def test_the_answer_that_another_passes_on_is_a_sign_of_life() -> None:
    network, me = lone("a", "b", "c", "d")
    for _ in range(4):
        network.run(1.0)
        for other in "abc":
            me.overhear(beat(other))
    network.run(0.5)
    request = me.said(PingRequest)[-1]
    me.hear(Pong(sender=sender("a"), number=request.number, about=word("d")))
    for _ in range(2):
        network.run(1.0)
        for other in "abc":
            me.overhear(beat(other))
    assert me.state("d") is ALIVE
