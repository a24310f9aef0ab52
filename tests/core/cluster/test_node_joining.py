"""How branches find each other, and find each other again."""

from __future__ import annotations

import pytest

from cyme.core.cluster.effects import Listen, Remember, Send, Tell
from cyme.core.cluster.messages import Digest, Hello, Ping, Welcome
from cyme.core.cluster.rings import RINGS
from tests.core.cluster import known
from tests.core.cluster.nodes import (
    ALIVE,
    FAILED,
    LEFT,
    Branch,
    Network,
    agree,
    beats_at,
    calls_at,
    hello,
    messages,
    of,
    sender,
    word,
)


def _greeted(branch: Branch, since: float = 0.0) -> list[str]:
    return [each.endpoint for each in branch.did(Send, since) if isinstance(each.message, Hello)]


# --- the start -----------------------------------------------------------------------------------


def test_a_branch_that_knows_nobody_has_soon_joined_and_may_act_from_the_start() -> None:
    network = Network()
    one = network.add("a")
    assert not one.node.fenced
    assert network.until(lambda: one.node.joined, 1.0) < 1.0
    assert one.sees() == {"a": ALIVE}
    assert _greeted(one) == []


def test_one_seed_is_enough_to_know_all_and_be_known() -> None:
    network = Network()
    first, *others = network.cluster(5)
    first.write(known.app("a", 1))
    network.run(3.0)
    began = network.now
    late = network.add("late", joins=[others[0]])
    network.until(lambda: late.node.joined, 0.1)
    network.until(lambda: agree([first, *others, late]), 1.0)
    assert late.disk.keys() == {("app", "a")}
    assert late.told(began) == ["branch.joined"] * 5
    assert all(each.told(began) == ["branch.joined"] for each in (first, *others))


def test_whoever_joins_is_told_of_by_all_that_learn_of_it() -> None:
    network = Network()
    one = network.add("a")
    network.run(1.0)
    effects = one.hear(hello("b"), b"way back")
    assert of(Tell, effects) == [
        Tell("branch.joined", "branch 'b' is in the cluster, at tcp://b:1", data={"branch": "b"})
    ]


def test_the_answer_to_a_greeting_tells_who_answers() -> None:
    network = Network()
    one = network.add("a")
    network.run(1.0)
    one.hear(hello("b"), b"way back")
    (welcome,) = one.said(Welcome)
    assert welcome == Welcome(sender=sender("a"), admitted=True, statements=(one.node.statement,))


def test_whoever_is_named_by_its_own_address_does_not_greet_itself() -> None:
    network = Network()
    one = network.add("a", joins=["a"], known=[calls_at("a")])
    network.run(15.0)
    assert one.node.joined
    assert _greeted(one) == []


def test_a_seed_may_come_up_late() -> None:
    network = Network()
    early = network.add("early", joins=["seed"])
    network.until(lambda: early.node.joined, 3.1)
    network.run(60.0)
    assert early.sees() == {"early": ALIVE}
    seed = network.add("seed")
    network.until(lambda: agree([early, seed]), 10.5)


def test_a_seed_joins_two_clusters() -> None:
    network = Network()
    some = network.cluster(3)
    others = [network.add("x0")]
    others += [network.add(f"x{number}", joins=[others[0]]) for number in (1, 2)]
    network.until(lambda: agree(others), 5.0)
    late = network.add("late", joins=[some[0], others[0]])
    network.until(lambda: agree([*some, *others, late]), 30.0)


def test_a_seed_that_is_named_is_greeted_again_at_another_branch_under_its_address() -> None:
    network = Network()
    seed = network.add("seed")
    one = network.add("a", joins=[seed])
    network.until(lambda: agree([one, seed]), 2.0)
    network.kill(seed)
    network.run(60.0)
    other = network.add("other", at="seed")
    network.until(lambda: agree([one, other]), 10.5)
    assert one.state("seed") is FAILED


def test_whoever_has_joined_is_compared_with_at_once() -> None:
    network = Network()
    seed = network.add("seed")
    network.run(1.0)
    one = network.add("a", joins=[seed])
    network.until(lambda: one.node.joined, 1.0)
    assert [each.endpoint for each in one.did(Send) if isinstance(each.message, Digest)] == [
        calls_at("seed")
    ]


def test_a_welcome_that_comes_later_is_no_reason_to_compare_again() -> None:
    network = Network()
    one = network.add("a")
    network.run(1.0)
    welcome = Welcome(sender=sender("b"), admitted=True, statements=(word("b"),))
    effects = one.hear(welcome)
    assert one.state("b") is ALIVE
    assert not [each for each in of(Send, effects) if isinstance(each.message, Digest)]


def test_a_welcome_of_a_branch_that_tells_nothing_of_itself_lets_in_all_the_same() -> None:
    network = Network()
    one = network.add("a", joins=["b"])
    effects = one.hear(Welcome(sender=sender("b"), admitted=True, statements=()))
    assert one.node.joined
    assert not [each for each in of(Send, effects) if isinstance(each.message, Digest)]


# --- the beacon ----------------------------------------------------------------------------------


def test_whoever_the_beacon_finds_is_greeted() -> None:
    network = Network()
    one, other = network.add("a"), network.add("b")
    one.find(other)
    network.until(lambda: agree([one, other]), 0.1)
    network.run(1.0)
    assert one.node.joined
    assert other.node.joined


def test_whoever_takes_part_already_and_the_branch_itself_are_not_greeted() -> None:
    network = Network()
    one, other = network.cluster(2)
    assert one.find(other, one) == []


def test_whoever_has_failed_is_greeted_when_the_beacon_finds_it_again() -> None:
    network = Network()
    one, other = network.cluster(2)
    network.cut([one], [other])
    network.run(15.0)
    assert one.state(other) is FAILED
    network.heal()
    one.find(other)
    network.until(lambda: agree([one, other]), 0.5)


# --- the next life -------------------------------------------------------------------------------


def test_the_addresses_of_all_that_may_come_back_are_remembered() -> None:
    network = Network()
    one = network.add("a", known=["tcp://old:1"])
    assert one.did(Remember) == []
    one.hear(hello("b"))
    assert list(one.known) == [calls_at("b"), calls_at("old")]
    one.hear(Welcome(sender=sender("b"), admitted=True, statements=(word("c", FAILED),)))
    assert list(one.known) == [calls_at("b"), calls_at("c"), calls_at("old")]
    one.hear(Welcome(sender=sender("b"), admitted=True, statements=(word("b", LEFT),)))
    assert list(one.known) == [calls_at("c"), calls_at("old")]
    remembered = one.did(Remember)
    one.hear(hello("c", boot=2))
    assert one.did(Remember) == remembered


@pytest.mark.parametrize("away_s", [0.5, 7.0, 60.0])
@pytest.mark.parametrize("at", ["b2", "elsewhere"])
def test_a_branch_that_was_restarted_is_soon_a_member_again(away_s: float, at: str) -> None:
    network = Network()
    *others, killed = network.cluster(3)
    network.run(2.0)
    network.kill(killed)
    network.run(away_s)
    again = network.restart(killed, at=at)
    took_s = network.until(lambda: again.node.joined, 2.0)
    network.until(lambda: agree([*others, again]), 0.5)
    network.until(lambda: not again.node.fenced, 0.5)
    if at == killed.host:
        assert took_s < 0.2
    network.run(30.0)
    assert agree([*others, again])
    assert all(each.node.word("b2") == again.node.statement for each in others)
    assert all(beats_at(at) in each.hears for each in others)


def test_a_branch_that_was_restarted_elsewhere_is_listened_to_there() -> None:
    network = Network()
    one, other = network.cluster(2)
    network.kill(other)
    network.restart(other, at="elsewhere")
    network.run(3.0)
    assert one.hears == {beats_at("elsewhere")}
    assert one.did(Listen)[-1] == Listen(frozenset({beats_at("elsewhere")}))


def test_a_cluster_that_was_wholly_down_finds_itself_again() -> None:
    network = Network()
    branches = network.cluster(4)
    branches[0].write(known.app("a", 1))
    network.run(2.0)
    network.kill(*branches)
    network.run(3600.0)
    back = []
    for branch in reversed(branches):
        back.append(network.restart(branch))
        network.run(8.0)
    network.until(lambda: agree(back), 15.0)
    assert all(branch.disk.keys() == {("app", "a")} for branch in back)
    assert not any(branch.node.fenced for branch in back)


def test_those_that_were_known_are_greeted_until_they_turn_up() -> None:
    network = Network()
    one = network.add("a", known=[calls_at("b")])
    network.run(100.0)
    greeted = len(_greeted(one))
    assert 10 <= greeted <= 16
    network.add("b")
    network.run(20.0)
    greeted = len(_greeted(one))
    network.run(60.0)
    assert len(_greeted(one)) == greeted


def test_who_is_pinged_by_others_as_it_starts_again_joins_no_later() -> None:
    network = Network()
    *others, killed = network.cluster(3)
    network.run(1.0)
    network.kill(killed)
    network.run(1.0)
    again = network.restart(killed)
    for other in others:  # they look whether it is still there
        ping = Ping(
            sender=sender(other.id), number=999, target=again.id, about=other.node.word(again.id)
        )
        other.do([Send(calls_at(again.host), ping)])
    assert network.until(lambda: again.node.joined, 10.0) < 0.5
    network.until(lambda: agree([*others, again]) and not again.node.fenced, 1.0)


# --- many ----------------------------------------------------------------------------------------


def test_up_to_eleven_branches_all_listen_to_all() -> None:
    network = Network()
    branches = network.cluster(11)
    hosts = {beats_at(branch.host) for branch in branches}
    assert all(branch.hears == hosts - {beats_at(branch.host)} for branch in branches)


def test_more_listen_to_about_ten_and_all_are_listened_to() -> None:
    network = Network()
    branches = network.cluster(24)
    assert all(len(branch.hears) <= RINGS for branch in branches)
    heard = set().union(*(branch.hears for branch in branches))
    assert heard == {beats_at(branch.host) for branch in branches}


def test_where_branches_go_others_are_listened_to_instead() -> None:
    network = Network()
    branches = network.cluster(16)
    dead, rest = branches[:6], branches[6:]
    network.kill(*dead)
    network.until(lambda: all(each.state(gone) is FAILED for each in rest for gone in dead), 30.0)
    hosts = {beats_at(branch.host) for branch in rest}
    assert all(branch.hears == hosts - {beats_at(branch.host)} for branch in rest)


def test_who_joins_again_and_again_is_listened_to_once() -> None:
    network = Network()
    one, _ = network.cluster(2)
    listens = len(one.did(Listen))
    for _ in range(3):
        one.hear(hello("b1", nonce="b1"))
        network.run(0.5)
    assert len(one.did(Listen)) == listens


# --- senders that nobody knows -------------------------------------------------------------------


def test_whoever_writes_without_being_known_is_asked_who_it_is() -> None:
    network = Network()
    one = network.add("a")
    network.run(1.0)
    stranger = Digest(sender=sender("x"), digest=one.node.digest)
    effects = one.hear(stranger, b"way back")
    (ping,) = messages(Ping, effects)
    assert (ping.target, ping.about) == ("x", None)
    assert one.hear(stranger, b"way back") == []
    network.run(1.0)
    assert one.said(Ping, network.now) == []
    one.hear(stranger, b"way back")
    assert len(one.said(Ping, network.now)) == 1


def test_whoever_writes_in_a_later_life_than_is_known_is_asked_who_it_is() -> None:
    network = Network()
    one = network.add("a")
    network.run(1.0)
    one.hear(hello("x", boot=2))
    one.hear(Digest(sender=sender("x", boot=1), digest=one.node.digest))
    assert one.said(Ping) == []
    one.hear(Digest(sender=sender("x", boot=2), digest=one.node.digest))
    assert one.said(Ping) == []
    one.hear(Digest(sender=sender("x", boot=3), digest=one.node.digest))
    assert [ping.about for ping in one.said(Ping)] == [None]


def test_whoever_writes_in_an_earlier_life_than_the_one_that_failed_is_left_alone() -> None:
    network = Network()
    one = network.add("a")
    network.run(1.0)
    failed = word("x", FAILED, by="b", boot=2)
    one.hear(Welcome(sender=sender("b"), admitted=True, statements=(failed,)))
    assert one.hear(Digest(sender=sender("x", boot=1), digest=one.node.digest)) == []


def test_whoever_writes_though_it_has_failed_is_told_so() -> None:
    network = Network()
    one = network.add("a")
    network.run(1.0)
    failed = word("x", FAILED, by="b")
    one.hear(Welcome(sender=sender("b"), admitted=True, statements=(failed,)))
    one.hear(Digest(sender=sender("x"), digest=one.node.digest))
    assert [ping.about for ping in one.said(Ping) if ping.target == "x"] == [failed]


@pytest.mark.parametrize(
    "introduction",
    [hello("x"), Welcome(sender=sender("x"), admitted=True, statements=(word("x"),))],
)
def test_whoever_introduces_itself_though_it_has_failed_is_told_so(
    introduction: Hello | Welcome,
) -> None:
    network = Network()
    one = network.add("a")
    network.run(1.0)
    failed = word("x", FAILED, by="b")
    one.hear(Welcome(sender=sender("b"), admitted=True, statements=(failed,)))
    one.hear(introduction)
    assert [ping.about for ping in one.said(Ping) if ping.target == "x"] == [failed]


def test_whoever_introduces_itself_is_not_asked() -> None:
    network = Network()
    one = network.add("a")
    network.run(1.0)
    one.hear(hello("x"))
    one.hear(Welcome(sender=sender("y"), admitted=True, statements=(word("y"),)))
    assert one.said(Ping) == []
