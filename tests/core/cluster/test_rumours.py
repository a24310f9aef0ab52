from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.cluster import rumours
from cyme.core.cluster.items import Item, weight_of
from cyme.core.cluster.messages import RUMOURS_MAX, Missed, Rumour, Rumours, Sender
from cyme.core.cluster.rumours import (
    ASK_PERIOD_S,
    ASKS_MAX,
    FLUSH_S,
    HEADS_MAX,
    KEPT_MAX,
    MESSAGE_BYTES_MAX,
    MISSED_MAX,
    SEEN_MAX,
    WAITING_MAX,
    Inbox,
    Outbox,
)
from cyme.core.model import BranchId
from tests.core.cluster import known
from tests.core.cluster.nodes import rumour, sender

ME = sender("me")
PUB = sender("pub")
NOW = 1000.0


def _outbox() -> Outbox:
    return Outbox(ME.branch, ME.boot)


def _message(number: int, publisher: Sender = PUB) -> Rumours:
    return Rumours(sender=publisher, number=number, rumours=())


def _items(message: Rumours) -> list[Item]:
    return [each.item for each in message.rumours]


def _names(message: Rumours) -> list[tuple[str, int, int]]:
    return [(each.origin, each.boot, each.number) for each in message.rumours]


def _all(outbox: Outbox) -> list[Rumours]:
    """Return all messages that are due, one after the other."""
    told, now = [], NOW
    while outbox.due(now):
        told.append(outbox.flush(now, ME))
        now += FLUSH_S
    return told


# --- telling -------------------------------------------------------------------------------------


def test_nothing_is_due_where_there_is_nothing_to_tell() -> None:
    assert not _outbox().due(NOW)


def test_news_is_told_at_once_where_nothing_went_out_lately_and_else_a_little_later() -> None:
    outbox = _outbox()
    outbox.tell(known.app("a"))
    assert outbox.due(NOW)
    outbox.flush(NOW, ME)
    outbox.tell(known.app("a", 2))
    assert not outbox.due(NOW + FLUSH_S - 0.01)
    assert outbox.due(NOW + FLUSH_S)


def test_every_message_and_every_piece_of_news_has_its_number() -> None:
    outbox = _outbox()
    assert outbox.head == 0
    outbox.tell(known.app("a"))
    outbox.tell(known.app("b"))
    first = outbox.flush(NOW, ME)
    outbox.tell(known.app("a", 2))
    second = outbox.flush(NOW, ME)
    assert (first.number, second.number, outbox.head) == (1, 2, 2)
    assert _names(first) + _names(second) == [("me", 1, 1), ("me", 1, 2), ("me", 1, 3)]
    assert first.sender == ME


def test_news_replaces_older_news_of_the_same_thing_that_still_waits() -> None:
    outbox = _outbox()
    outbox.tell(known.app("a", 1))
    outbox.tell(known.queue("a", 1))
    outbox.tell(known.app("a", 2))
    (told,) = _all(outbox)
    assert _items(told) == [known.app("a", 2), known.queue("a", 1)]


def test_rumours_of_others_keep_their_names_and_go_first() -> None:
    outbox = _outbox()
    outbox.tell(known.app("a"))
    outbox.pass_on(rumour("x", 70, known.app("b"), boot=3))
    (told,) = _all(outbox)
    assert _names(told) == [("x", 3, 70), ("me", 1, 1)]


def test_a_message_holds_so_many_and_the_others_follow_in_order() -> None:
    outbox = _outbox()
    for number in range(RUMOURS_MAX + 50):
        outbox.tell(known.app(f"a{number}"))
    told = _all(outbox)
    assert [len(each.rumours) for each in told] == [RUMOURS_MAX, 50]
    assert [name[2] for each in told for name in _names(each)] == list(range(1, RUMOURS_MAX + 51))


def _large(name: str, share: float) -> Item:
    """Return a piece of news that weighs a share of a message."""
    news = replace(known.news(name), reason="")
    missing = int(MESSAGE_BYTES_MAX * share) - weight_of(news)
    return replace(news, reason="x" * missing)


@pytest.mark.parametrize("passed_on", [False, True])
def test_a_message_is_not_larger_than_it_may_be(passed_on: bool) -> None:
    outbox = _outbox()
    for number in range(5):
        item = _large(f"w{number}", 0.5)
        if passed_on:
            outbox.pass_on(rumour("x", number, item))
        else:
            outbox.tell(item)
    told = _all(outbox)
    assert [len(each.rumours) for each in told] == [2, 2, 1]
    assert all(sum(map(weight_of, _items(each))) <= MESSAGE_BYTES_MAX for each in told)


def test_what_is_too_large_for_a_message_has_one_to_itself() -> None:
    outbox = _outbox()
    for name, share in [("w1", 0.1), ("w2", 1.5), ("w3", 0.1)]:
        outbox.tell(_large(name, share))
    assert [len(each.rumours) for each in _all(outbox)] == [1, 1, 1]


def test_news_that_is_too_much_is_left_to_repair_unless_it_replaces_some() -> None:
    outbox = _outbox()
    for number in range(WAITING_MAX):
        outbox.tell(known.news(f"w{number}"))
    outbox.tell(known.news("late"))
    outbox.tell(known.news("w7", seq=2))
    told = [item for each in _all(outbox) for item in _items(each)]
    assert len(told) == WAITING_MAX
    assert told[7] == known.news("w7", seq=2)
    assert known.news("late") not in told


def test_of_too_many_rumours_of_others_the_latest_are_passed_on() -> None:
    outbox = _outbox()
    item = known.app("a")
    for number in range(WAITING_MAX + 3):
        outbox.pass_on(rumour("x", number, item))
    told = [name[2] for each in _all(outbox) for name in _names(each)]
    assert told == list(range(3, WAITING_MAX + 3))


# --- telling again -------------------------------------------------------------------------------


def _told(count: int) -> tuple[Outbox, list[Rumours]]:
    outbox = _outbox()
    told = []
    for number in range(count):
        outbox.tell(known.app("a", number + 1))
        told.append(outbox.flush(NOW, ME))
    return outbox, told


def test_what_was_missed_is_told_again_as_it_was_told() -> None:
    outbox, told = _told(5)
    assert outbox.again(2, 4) == told[1:4]
    assert outbox.again(5, 5) == told[4:]


def test_what_was_never_told_is_not_told_again() -> None:
    outbox, told = _told(3)
    assert outbox.again(0, 10) == told
    assert outbox.again(4, 10) == []
    assert outbox.again(3, 2) == []
    assert outbox.again(-5, 1) == told[:1]
    assert _outbox().again(1, 5) == []


def test_no_more_is_told_again_than_is_kept_nor_too_much_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rumours, "KEPT_MAX", 4)
    monkeypatch.setattr(rumours, "MISSED_MAX", 3)
    outbox, told = _told(10)
    assert outbox.again(1, 10) == told[6:9]
    assert outbox.again(10, 10) == told[9:]


# --- what was told -------------------------------------------------------------------------------


def test_a_rumour_is_seen_for_the_first_time_once() -> None:
    inbox = Inbox()
    item = known.app("a")
    assert inbox.is_first_sight(rumour("x", 1, item))
    assert not inbox.is_first_sight(rumour("x", 1, known.app("b")))
    assert inbox.is_first_sight(rumour("x", 2, item))
    assert inbox.is_first_sight(rumour("y", 1, item))
    assert inbox.is_first_sight(rumour("x", 1, item, boot=2))


def test_only_so_many_rumours_are_remembered() -> None:
    inbox = Inbox()
    item = known.app("a")
    for number in range(SEEN_MAX + 1):
        inbox.is_first_sight(rumour("x", number, item))
    assert not inbox.is_first_sight(rumour("x", 1, item))
    assert inbox.is_first_sight(rumour("x", 0, item))


def _asks(inbox: Inbox, number: int, now: float = NOW, publisher: Sender = PUB) -> Missed | None:
    return inbox.missed(now, publisher, number, ME)


def test_of_a_publisher_that_is_new_nothing_was_missed() -> None:
    inbox = Inbox()
    assert _asks(inbox, 70) is None
    assert _asks(inbox, 71) == Missed(sender=ME, first=71, last=71)

    inbox = Inbox()
    inbox.received(_message(70))
    assert _asks(inbox, 70) is None
    assert _asks(inbox, 71) == Missed(sender=ME, first=71, last=71)


def _begun(*received: int) -> Inbox:
    """Return an inbox that heard the publisher before its first message."""
    inbox = Inbox()
    assert _asks(inbox, 0) is None
    for number in received:
        inbox.received(_message(number))
    return inbox


def test_nothing_was_missed_where_all_was_received_in_whatever_order() -> None:
    assert _asks(_begun(1, 2, 3), 3) is None
    assert _asks(_begun(3, 1, 2, 2, 1), 3) is None


def test_a_gap_is_asked_for_from_its_beginning_to_its_end() -> None:
    assert _asks(_begun(1), 4) == Missed(sender=ME, first=2, last=4)
    assert _asks(_begun(1, 4, 7), 7) == Missed(sender=ME, first=2, last=3)


def test_the_next_gap_is_asked_for_when_the_first_is_closed() -> None:
    inbox = _begun(1, 4, 7)
    _asks(inbox, 7)
    inbox.received(_message(2))
    inbox.received(_message(3))
    assert _asks(inbox, 7, NOW + ASK_PERIOD_S) == Missed(sender=ME, first=5, last=6)


def test_not_too_much_is_asked_for_at_once() -> None:
    assert _asks(_begun(), 1000) == Missed(sender=ME, first=1, last=MISSED_MAX)


def test_a_publisher_is_not_asked_at_every_message() -> None:
    inbox = _begun()
    assert _asks(inbox, 1) is not None
    assert _asks(inbox, 2, NOW + ASK_PERIOD_S - 0.1) is None
    assert _asks(inbox, 2, NOW + ASK_PERIOD_S) == Missed(sender=ME, first=1, last=2)


def test_what_was_asked_for_in_vain_is_given_up_and_what_comes_after_is_asked_for() -> None:
    inbox = _begun(3)
    for ask in range(ASKS_MAX):
        assert _asks(inbox, 5, NOW + ask * ASK_PERIOD_S) == Missed(sender=ME, first=1, last=2)
    now = NOW + ASKS_MAX * ASK_PERIOD_S
    assert _asks(inbox, 5, now) is None
    assert _asks(inbox, 5, now) == Missed(sender=ME, first=4, last=5)


def test_an_answer_in_part_is_worth_asking_again() -> None:
    inbox = _begun()
    for ask in range(ASKS_MAX):
        assert _asks(inbox, 3, NOW + ask * ASK_PERIOD_S) is not None
    inbox.received(_message(1))
    now = NOW + ASKS_MAX * ASK_PERIOD_S
    for ask in range(ASKS_MAX):
        assert _asks(inbox, 3, now + ask * ASK_PERIOD_S) == Missed(sender=ME, first=2, last=3)
    assert _asks(inbox, 3, now + ASKS_MAX * ASK_PERIOD_S) is None
    assert _asks(inbox, 3, now + 100.0) is None


def test_what_is_too_far_back_to_be_kept_is_not_asked_for() -> None:
    inbox = _begun(1, 5)
    asked = _asks(inbox, KEPT_MAX + 10)
    assert asked == Missed(sender=ME, first=11, last=10 + MISSED_MAX)


def test_what_was_received_beyond_what_was_given_up_still_counts() -> None:
    inbox = _begun(1, 11, 12, 14)
    asked = _asks(inbox, KEPT_MAX + 10)
    assert asked == Missed(sender=ME, first=13, last=13)


def test_a_new_life_of_a_publisher_begins_anew() -> None:
    inbox = _begun(1, 2, 3)
    again = sender("pub", boot=2)
    assert _asks(inbox, 0, publisher=again) is None
    assert _asks(inbox, 1, publisher=again) == Missed(sender=ME, first=1, last=1)


def test_only_so_many_publishers_are_followed() -> None:
    inbox = Inbox()
    for number in range(HEADS_MAX + 1):
        _asks(inbox, 5, publisher=sender(f"b{number}"))
    assert _asks(inbox, 6, publisher=sender("b1")) == Missed(sender=ME, first=6, last=6)
    assert _asks(inbox, 6, publisher=sender("b0")) is None


def test_only_so_much_is_remembered_ahead_of_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rumours, "KEPT_MAX", 3)
    inbox = _begun(3, 4, 5, 6)
    inbox.received(_message(1))
    inbox.received(_message(2))
    assert _asks(inbox, 6) == Missed(sender=ME, first=6, last=6)


# --- both together -------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.2, 0.6, 1.0]), st.integers(1, 30))
def test_all_that_is_told_is_received_unless_a_publisher_is_asked_in_vain_too_often(
    seed: int, loss: float, count: int
) -> None:
    chance = random.Random(seed)
    outbox, inbox = _outbox(), Inbox()
    reader = sender("reader")
    inbox.missed(NOW, ME, 0, reader)
    received: set[int] = set()

    def carry(told: Sequence[Rumours], loss: float) -> None:
        for message in told:
            if chance.random() >= loss:
                inbox.received(message)
                received.update(each.number for each in message.rumours)

    for number in range(count):
        outbox.tell(known.app("a", number + 1))
        carry([outbox.flush(NOW, ME)], loss)
    asks = 0
    while missed := inbox.missed(NOW + asks * ASK_PERIOD_S, ME, outbox.head, reader):
        asks += 1
        carry(outbox.again(missed.first, missed.last), 0.0 if asks % ASKS_MAX == 0 else loss)
    assert received == set(range(1, count + 1))


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_a_rumour_that_comes_by_many_ways_is_passed_on_once(seed: int, count: int) -> None:
    chance = random.Random(seed)
    outbox, inbox = _outbox(), Inbox()
    sent: list[Rumour] = [rumour("x", number, known.app("a")) for number in range(count)] * 3
    chance.shuffle(sent)
    for each in sent:
        if inbox.is_first_sight(each):
            outbox.pass_on(each)
    told = [name[2] for each in _all(outbox) for name in _names(each)]
    assert sorted(told) == list(range(count))
    assert BranchId("me") not in {name[0] for each in _all(outbox) for name in _names(each)}


# --- floods --------------------------------------------------------------------------------------


def test_a_flood_of_others_holds_up_no_news_of_ones_own() -> None:
    outbox = _outbox()
    for number in range(RUMOURS_MAX * 3):
        outbox.pass_on(rumour("x", number, known.app(f"x{number}")))
    outbox.tell(known.app("a"))
    outbox.tell(known.app("b"))
    first = outbox.flush(NOW, ME)
    assert _names(first)[:4] == [("x", 1, 0), ("me", 1, 1), ("x", 1, 1), ("me", 1, 2)]
    assert len(first.rumours) == RUMOURS_MAX


def test_rumours_that_wait_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    item = _large("w", 0.5)
    monkeypatch.setattr(rumours, "WAITING_BYTES_MAX", 3 * weight_of(item))
    outbox = _outbox()
    for number in range(5):
        outbox.pass_on(rumour("x", number, item))
    told = [name for message in _all(outbox) for name in _names(message)]
    assert told == [("x", 1, 2), ("x", 1, 3), ("x", 1, 4)]
    for number in range(5, 8):
        outbox.pass_on(rumour("x", number, item))
    assert _names(outbox.flush(NOW, ME)) == [("x", 1, 5), ("x", 1, 6)]


def test_messages_that_are_kept_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    item = _large("w", 0.9)
    monkeypatch.setattr(rumours, "KEPT_BYTES_MAX", 2 * weight_of(item))
    outbox = _outbox()
    for number in range(4):
        outbox.pass_on(rumour("x", number, item))
    assert [message.number for message in _all(outbox)] == [1, 2, 3, 4]
    assert [message.number for message in outbox.again(1, 4)] == [3, 4]
