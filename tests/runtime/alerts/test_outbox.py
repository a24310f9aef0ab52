from __future__ import annotations

import logging
from collections.abc import Iterator

import gevent
import pytest

from cyme.core.alert_targets import Attempt, Outcome
from cyme.runtime.alerts import outbox
from cyme.runtime.alerts.outbox import Outbox
from tests.waiting import eventually

DELIVERED = Attempt(Outcome.DELIVERED)
REFUSED = Attempt(Outcome.REFUSED, "it answers 404")
FAILED = Attempt(Outcome.FAILED, "it answers 500")


class Target:
    """Answers as a test says, and keeps what it was sent."""

    name = "http://target"

    def __init__(self) -> None:
        self.answers: list[Attempt | Exception | float] = []
        self.seen: list[tuple[str, bytes]] = []

    def send(self, body: bytes, *, delivery: str) -> Attempt:
        self.seen.append((delivery, body))
        answer = self.answers.pop(0) if self.answers else DELIVERED
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            gevent.sleep(answer)
            return DELIVERED
        return answer


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PAUSE_S_FIRST", 0.001)
    monkeypatch.setattr(outbox, "PAUSE_S_MAX", 0.004)


@pytest.fixture
def box(target: Target, pauses: None) -> Iterator[Outbox]:
    box = Outbox(target, chance=lambda: 0.5)
    box.start()
    yield box
    box.stop(0.0)


def test_what_is_put_arrives_once_and_in_order(box: Outbox, target: Target) -> None:
    for name in "abc":
        box.put(name, name.encode() * 2)
    eventually(lambda: box.delivered == 3)
    assert target.seen == [("a", b"aa"), ("b", b"bb"), ("c", b"cc")]


def test_what_failed_is_tried_again_under_the_same_name_before_anything_else(
    box: Outbox, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    target.answers = [FAILED, FAILED, FAILED]
    box.put("a", b"1")
    box.put("b", b"2")
    eventually(lambda: box.delivered == 2)
    assert [delivery for delivery, _ in target.seen] == ["a", "a", "a", "a", "b"]
    assert caplog.text.count("it answers 500") == 1


def test_what_is_refused_or_failed_too_often_is_dropped_and_told(
    box: Outbox,
    target: Target,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "ATTEMPTS_MAX", 3)
    target.answers = [REFUSED, *[FAILED] * 3]
    for name in "abc":
        box.put(name, b"")
    eventually(lambda: box.delivered == 1)
    assert [delivery for delivery, _ in target.seen] == ["a", "b", "b", "b", "c"]
    assert box.dropped == 2
    assert "http://target was dropped (it answers 404); 1 were" in caplog.text
    assert "http://target was dropped (it answers 500); 2 were" in caplog.text


def test_only_so_much_waits_and_the_oldest_makes_room(
    target: Target, pauses: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "WAITING_MAX", 2)
    box = Outbox(target)
    for name in "abcd":
        box.put(name, b"")
    assert box.dropped == 2
    box.start()
    eventually(lambda: box.delivered == 2)
    assert [delivery for delivery, _ in target.seen] == ["c", "d"]
    box.stop(1.0)


def test_what_made_room_while_it_was_tried_is_tried_no_more(
    box: Outbox, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "WAITING_MAX", 1)
    monkeypatch.setattr(outbox, "PAUSE_S_FIRST", 0.2)
    target.answers = [FAILED]
    box.put("a", b"")
    eventually(lambda: target.seen)
    box.put("b", b"")
    eventually(lambda: box.delivered == 1)
    assert [delivery for delivery, _ in target.seen] == ["a", "b"]
    target.answers = [0.05]
    box.put("c", b"")
    eventually(lambda: target.seen[-1][0] == "c")
    box.put("d", b"")
    eventually(lambda: target.seen[-1][0] == "d")
    assert box.dropped == 2


def test_a_target_that_never_answers_holds_nothing_up_for_ever(
    box: Outbox, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "ATTEMPT_S_MAX", 0.05)
    target.answers = [60.0]
    box.put("a", b"")
    eventually(lambda: box.delivered == 1)
    assert len(target.seen) == 2


def test_a_bug_in_one_delivery_does_not_keep_the_others(
    box: Outbox, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    target.answers = [ValueError("a bug")]
    box.put("a", b"")
    box.put("b", b"")
    eventually(lambda: box.delivered == 1)
    assert "delivering an alert to http://target failed" in caplog.text


def test_the_end_waits_a_while_for_what_is_under_way(
    target: Target, pauses: None, caplog: pytest.LogCaptureFixture
) -> None:
    box = Outbox(target)
    target.answers = [0.05]
    box.start()
    box.put("a", b"")
    box.stop(5.0)
    assert box.delivered == 1
    target.answers = [60.0]
    box.start()
    box.put("b", b"")
    with caplog.at_level(logging.WARNING):
        box.stop(0.05)
    box.stop(0.05)
    assert "1 alerts for http://target were not delivered" in caplog.text


def test_pauses_grow_and_differ_by_chance(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(gevent, "sleep", slept.append)
    target.answers = [FAILED] * 11
    chances = iter([0.0, 1.0] * 10)
    box = Outbox(target, chance=lambda: next(chances))
    box.put("a", b"")
    box._deliver("a", b"")
    assert slept == [1, 1, 4, 4, 16, 16, 64, 64, 256, 150, 300]
