"""How news goes round, and what becomes of it where messages are lost."""

from __future__ import annotations

from collections import Counter

import pytest

from cyme.core.cluster.effects import Publish, Reply, Send
from cyme.core.cluster.messages import Beat, Items, Message, Missed, Pong, Rumours
from cyme.core.cluster.node.ticking import COMPARE_S
from cyme.core.cluster.rumours import ASK_PERIOD_S, ASKS_MAX, FLUSH_S
from tests.core.cluster import known
from tests.core.cluster.nodes import (
    ALIVE,
    LINK,
    Branch,
    Network,
    agree,
    beat,
    calls_at,
    hello,
    rumour,
    sender,
    word,
)

APP = ("app", "a")


def _lone(*others: str) -> tuple[Network, Branch]:
    network = Network()
    me = network.add("me")
    network.run(1.0)
    for other in others:
        me.hear(hello(other))
    network.run(0.5)
    return network, me


@pytest.mark.parametrize("count", [3, 25])
def test_news_reaches_all_within_a_second_and_everybody_passes_it_on_once(count: int) -> None:
    network = Network()
    branches = network.cluster(count)
    network.run(5.0)
    began = network.now
    branches[-1].write(known.app("a"))
    network.until(lambda: all(APP in branch.disk for branch in branches), 1.0)
    network.run(30.0)
    assert agree(branches)
    told = [
        (branch.id, each.origin)
        for branch in branches
        for message in branch.said(Rumours, began)
        for each in message.rumours
        if each.item == known.app("a")
    ]
    assert Counter(told) == {(branch.id, branches[-1].id): 1 for branch in branches}


def test_much_news_goes_out_in_few_messages() -> None:
    network = Network()
    one, other = network.cluster(2)
    network.run(2.0)
    began = network.now
    for number in range(100):
        one.write(known.app(f"a{number}", 1))
        network.run(0.01)
    network.run(0.5)
    assert len(other.disk) == 100
    assert len(one.said(Rumours, began)) <= 1.0 / FLUSH_S + 2


def test_ones_own_news_that_comes_back_is_neither_taken_in_nor_passed_on() -> None:
    network, me = _lone("a")
    me.write(known.app("a"))
    mine = me.said(Rumours)[-1].rumours
    network.run(1.0)
    assert me.overhear(Rumours(sender=sender("a"), number=1, rumours=mine)) == []


def test_news_of_an_earlier_life_of_ones_own_is_taken_in_as_any_other() -> None:
    network = Network()
    me = network.add("me", boot=2)
    network.run(1.0)
    me.hear(hello("a"))
    network.run(0.5)
    old = rumour("me", 1, known.app("a"), boot=1)
    me.overhear(Rumours(sender=sender("a"), number=1, rumours=(old,)))
    network.run(0.1)
    assert APP in me.disk
    assert me.said(Rumours)[-1].rumours == (old,)


def test_a_rumour_tells_that_its_origin_was_heard_of() -> None:
    network, me = _lone("a", "b")
    network.run(2.0)
    told = Rumours(sender=sender("a"), number=1, rumours=(rumour("b", 1, known.app("a")),))
    me.overhear(told)
    assert me.node.heard_at("b") == network.now


# --- what is lost --------------------------------------------------------------------------------


def test_a_gap_in_the_numbers_is_asked_for_at_once_and_told_again() -> None:
    network = Network()
    one, other, _ = network.cluster(3)
    network.run(3.0)
    lost: list[Message] = []

    def loses(source: Branch, target: Branch, message: Message) -> bool:
        if source is one and isinstance(message, Rumours) and len(lost) < 2:
            lost.append(message)
            return True
        return False

    network.loses = loses
    one.write(known.app("a"))
    network.run(FLUSH_S + 0.1)
    one.write(known.app("b"))
    network.run(0.1)
    assert len(lost) == 2
    assert {APP, ("app", "b")} <= other.disk.keys()
    (asked,) = other.said(Missed)
    assert asked.first == asked.last


def test_a_beat_tells_that_the_last_message_was_lost() -> None:
    network, me = _lone("a")
    me.overhear(beat("a", head=3))
    assert me.overhear(beat("a", head=5)) == [
        Send(calls_at("a"), Missed(sender=sender("me"), first=4, last=5))
    ]
    network.run(ASK_PERIOD_S)
    again = me.hear(Rumours(sender=sender("a"), number=5, rumours=()))
    assert again == []  # what is told again is no occasion to ask
    assert me.overhear(beat("a", head=5)) == [
        Send(calls_at("a"), Missed(sender=sender("me"), first=4, last=4))
    ]


def test_a_message_tells_that_the_one_before_was_lost() -> None:
    _, me = _lone("a")
    me.overhear(Rumours(sender=sender("a"), number=1, rumours=()))
    assert me.overhear(Rumours(sender=sender("a"), number=3, rumours=())) == [
        Send(calls_at("a"), Missed(sender=sender("me"), first=2, last=2))
    ]
    assert me.hear(Rumours(sender=sender("a"), number=2, rumours=())) == []
    assert me.overhear(beat("a", head=3)) == []


def test_what_somebody_missed_is_told_again_to_it_alone() -> None:
    network, me = _lone("a")
    for number in (1, 2, 4):
        me.write(known.app("a", number))
        network.run(FLUSH_S + 0.1)
    told = me.said(Rumours)[-3:]
    missed = Missed(sender=sender("a"), first=told[1].number, last=told[2].number)
    assert me.hear(missed) == [Reply(LINK, told[1]), Reply(LINK, told[2])]


def test_a_publisher_that_nobody_can_reach_is_not_asked() -> None:
    network, me = _lone()
    me.overhear(beat("x", head=3))
    assert me.overhear(beat("x", head=5)) == []
    network.run(1.0)


def test_what_is_asked_for_in_vain_is_given_up_and_found_by_comparing() -> None:
    network = Network()
    one, other = network.cluster(2)
    network.run(3.0)
    network.loses = lambda source, target, message: isinstance(message, Rumours)
    began = network.now
    one.write(known.app("a"))
    network.until(lambda: APP in other.disk, COMPARE_S * 1.3)
    network.run(10.0)
    network.loses = lambda *_: False
    assert len(other.said(Missed, began)) <= ASKS_MAX
    one.write(known.app("b"))
    network.run(0.1)
    assert ("app", "b") in other.disk


def test_a_branch_that_listens_badly_comes_to_know_all() -> None:
    network = Network()
    branches = network.cluster(4)
    network.run(3.0)
    count = 0

    def loses(source: Branch, target: Branch, message: Message) -> bool:
        nonlocal count
        count += 1
        return target is branches[0] and isinstance(message, Rumours | Beat) and count % 3 > 0

    network.loses = loses
    for number in range(30):
        branches[number % 4].write(known.app(f"a{number}", 1))
        network.run(0.3)
    network.run(10.0)
    assert all(len(branch.disk) == 30 for branch in branches)
    assert "branch.suspect" not in branches[0].told()


# --- what is learnt otherwise --------------------------------------------------------------------


def test_what_is_learnt_of_a_branch_by_an_answer_is_made_a_rumour() -> None:
    _, me = _lone("a")
    me.hear(Pong(sender=sender("a"), number=0, about=word("b")))
    told = me.said(Rumours)[-1].rumours
    assert [(each.origin, each.item) for each in told] == [("me", word("b"))]
    assert me.state("b") is ALIVE


def test_what_is_learnt_by_comparing_is_told_to_nobody() -> None:
    network, me = _lone("a")
    began = network.now
    me.hear(Items(sender=sender("a"), items=(word("b"), known.news("w"), known.app("a"))))
    network.run(1.0)
    assert me.state("b") is ALIVE
    assert APP in me.disk
    assert me.said(Rumours, began) == []


def test_what_is_learnt_of_a_branch_by_a_rumour_is_only_passed_on() -> None:
    _, me = _lone("a")
    said = rumour("a", 1, word("b"))
    effects = me.overhear(Rumours(sender=sender("a"), number=1, rumours=(said,)))
    (published,) = [each for each in effects if isinstance(each, Publish)]
    assert isinstance(published.message, Rumours)
    assert published.message.rumours == (said,)


def test_what_is_known_already_is_passed_on_but_changes_nothing() -> None:
    _, me = _lone("a", "b")
    said = rumour("b", 1, word("b"))
    effects = me.overhear(Rumours(sender=sender("a"), number=1, rumours=(said,)))
    assert [type(each) for each in effects] == [Publish]
