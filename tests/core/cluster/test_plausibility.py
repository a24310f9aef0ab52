"""Numbers that leap are refused; what is refused goes no further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cyme.core.cluster.effects import Absorb, Send
from cyme.core.cluster.items import InstanceNews, Item
from cyme.core.cluster.messages import Items, Ping, PingRequest, Rumours, Welcome
from cyme.core.cluster.node import learning
from cyme.core.cluster.plausibility import (
    COUNT_JUMP_MAX,
    EPOCH_JUMP_MAX,
    NEWS_REASON_CHARS_MAX,
    is_plausible,
)
from cyme.core.model import COUNTER_MAX, Stamp
from tests.core.cluster import known
from tests.core.cluster.nodes import (
    ALIVE,
    FAILED,
    Branch,
    Network,
    agree,
    calls_at,
    hello,
    of,
    rumour,
    sender,
    word,
)

JUMP = COUNT_JUMP_MAX


def _lone(*others: str) -> tuple[Network, Branch]:
    network = Network()
    me = network.add("me")
    network.run(1.0)
    for other in others:
        me.hear(hello(other))
    network.run(0.5)
    return network, me


def _overheard(me: Branch, *items: Item) -> Rumours:
    """Return rumours that another branch publishes."""
    told = tuple(rumour("a", number, item) for number, item in enumerate(items, start=1))
    return Rumours(sender=sender("a"), number=1, rumours=told)


@pytest.mark.parametrize(
    ("before", "item", "plausible"),
    [
        (None, known.instance("w", epoch=EPOCH_JUMP_MAX), True),
        (None, known.instance("w", epoch=EPOCH_JUMP_MAX + 1), False),
        (known.instance("w", epoch=2), known.instance("w", epoch=EPOCH_JUMP_MAX + 2), True),
        (known.instance("w", epoch=2), known.instance("w", epoch=EPOCH_JUMP_MAX + 3), False),
        (None, known.instance("w", generation=JUMP), True),
        (None, known.instance("w", generation=JUMP + 1), False),
        (known.instance("w", generation=2), known.instance("w", generation=JUMP + 2), True),
        (known.instance("w", generation=2), known.instance("w", generation=JUMP + 3), False),
        (None, replace(known.app("a"), version=JUMP), True),
        (None, replace(known.app("a"), version=JUMP + 1), False),
        (replace(known.app("a"), version=2), replace(known.app("a"), version=JUMP + 2), True),
        (replace(known.app("a"), version=2), replace(known.app("a"), version=JUMP + 3), False),
        (None, replace(known.queue("q"), version=JUMP + 1), False),
        (None, replace(known.instance("w"), version=JUMP + 1), False),
        (None, known.news("w", epoch=2**53 - 1), True),
        (None, replace(known.news("w"), reason="x" * NEWS_REASON_CHARS_MAX), True),
        (None, replace(known.news("w"), reason="x" * (NEWS_REASON_CHARS_MAX + 1)), False),
        (None, known.statement("b", boot=JUMP, incarnation=JUMP), True),
        (None, known.statement("b", boot=JUMP + 1), False),
        (None, known.statement("b", incarnation=JUMP + 1), False),
        (known.statement("b", boot=2), known.statement("b", boot=JUMP + 2), True),
        (known.statement("b", boot=2), known.statement("b", boot=JUMP + 3), False),
        (known.statement("b", incarnation=2), known.statement("b", incarnation=JUMP + 2), True),
        (known.statement("b", incarnation=2), known.statement("b", incarnation=JUMP + 3), False),
        (
            known.statement("b", incarnation=JUMP),
            known.statement("b", boot=2, incarnation=JUMP + 1),
            False,
        ),
    ],
)
def test_what_counts_events_does_not_leap(before: Item | None, item: Item, plausible: bool) -> None:
    assert is_plausible(before, item) is plausible


def test_what_cannot_be_true_is_not_passed_on() -> None:
    network, me = _lone("a")
    good = known.app("good")
    leaps = known.instance("w", epoch=EPOCH_JUMP_MAX + 1)
    about_me = word("me", FAILED, by="a", incarnation=JUMP + 1)
    since = network.now
    me.overhear(_overheard(me, leaps, about_me, good))
    assert me.node.refused == 2
    network.run(1.0)
    told = [each.item for message in me.said(Rumours, since) for each in message.rumours]
    assert told == [good]


def test_a_branch_of_which_the_end_of_all_numbers_is_said_stays_a_member() -> None:
    network = Network()
    branches = network.cluster(3)
    network.run(10.0)
    _, victim, other = branches
    for said in (
        word(victim.id, FAILED, by="a", incarnation=2**53 - 1),
        word(victim.id, FAILED, by="a", boot=2**53 - 1),
        word(victim.id, FAILED, by="a", incarnation=JUMP),
    ):
        other.overhear(_overheard(other, said))
        network.run(1.0)
    network.run(20.0)
    assert all(set(branch.sees().values()) == {ALIVE} for branch in branches)
    assert agree(branches)
    assert victim.halted is None


def test_a_rival_of_a_life_that_cannot_be_is_not_made_sure_of() -> None:
    network, me = _lone("a")
    since = network.now
    rival = word("me", ALIVE, boot=2**53 - 1, nonce="other")
    me.hear(Welcome(sender=sender("a"), admitted=False, statements=(rival,)))
    network.run(5.0)
    assert me.node.statement.boot == 1
    pinged = [each.message for each in me.did(Send, since) if isinstance(each.message, Ping)]
    assert [each for each in pinged if each.target == "me"] == []


def test_a_stamp_whose_counter_is_at_its_end_is_followed_by_a_later_one() -> None:
    last = Stamp(1000, COUNTER_MAX, "z")
    after = last.next(999, "a")
    assert after > last
    assert after == Stamp(1001, 0, "a")
    assert Stamp(1000, COUNTER_MAX - 1, "z").next(999, "a") == Stamp(1000, COUNTER_MAX, "a")


# --- being sent to addresses ---------------------------------------------------------------------


def test_nobody_sends_a_branch_to_an_address_that_it_does_not_know() -> None:
    _network, me = _lone("a", "b")
    for said in (word("stranger"), word("b", at="elsewhere")):
        effects = me.hear(PingRequest(sender=sender("a"), number=7, about=said))
        targets = [each.endpoint for each in of(Send, effects) if isinstance(each.message, Ping)]
        assert targets == ([] if said.branch == "stranger" else [calls_at("b")])
    assert me.node.refused == 1


# --- news of what is not known -------------------------------------------------------------------


def _news(me: Branch, *items: InstanceNews) -> None:
    me.hear(Items(sender=sender("a"), items=items))


def test_news_that_comes_before_its_record_counts_when_that_has_come() -> None:
    network, me = _lone("a")
    early = known.news("w", seq=2)
    empty = me.node.digest
    _news(me, early, known.news("w", seq=1))
    assert me.node.news("w") is None
    assert me.node.digest == empty
    me.hear(Items(sender=sender("a"), items=(known.instance("w"),)))
    network.run(1.0)
    assert me.node.news("w") == early


def test_news_of_a_later_epoch_waits_for_that() -> None:
    network, me = _lone("a")
    me.hear(Items(sender=sender("a"), items=(known.instance("w"),)))
    network.run(1.0)
    _news(me, known.news("w"))
    later, absurd = known.news("w", epoch=2), known.news("x", epoch=2**53 - 1)
    _news(me, later, absurd)
    assert me.node.news("w") == known.news("w")
    me.hear(Items(sender=sender("a"), items=(known.instance("w", epoch=2),)))
    network.run(1.0)
    assert me.node.news("w") == later


def test_news_of_what_comes_as_deleted_is_dropped() -> None:
    network, me = _lone("a")
    _news(me, known.news("w"))
    me.hear(Items(sender=sender("a"), items=(known.instance("w", deleted=True),)))
    network.run(1.0)
    assert me.node.news("w") is None


def test_only_so_many_news_wait_for_their_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "EARLY_NEWS_MAX", 2)
    network, me = _lone("a")
    names = ("w1", "w2", "w3")
    _news(me, *(known.news(name) for name in names))
    records = tuple(known.instance(name) for name in names)
    effects: Sequence[object] = me.hear(Items(sender=sender("a"), items=records))
    assert [each for each in effects if isinstance(each, Absorb)]
    network.run(1.0)
    assert [me.node.news(name) is not None for name in names] == [False, True, True]
