from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from cyme.core.events import Event, EventFilter
from cyme.core.task_events import TaskDeed
from cyme.runtime.telemetry import task_feed, task_pulling
from cyme.runtime.telemetry.task_feed import LEASE_S, PER_S_MAX, TaskFeed, TaskPage
from tests.runtime.service.house import BROKER, House
from tests.runtime.service.town import Town
from tests.runtime.telemetry.telling import collector, gone, judge, judged, told
from tests.waiting import eventually

#: The place before all events.
NOTHING = (0, 0)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_feed, "GATHER_S", 0.0)
    for name in ("LOOK_S", "RETRY_S"):
        monkeypatch.setattr(task_pulling, name, 0.01)
    monkeypatch.setattr(task_pulling, "WAIT_S", 0.05)


@pytest.fixture
def town(quick: None) -> Iterator[Town]:
    town = Town(2)
    town["b1"].put("w1")
    with judged(town):
        yield town


@pytest.fixture
def alone(house: House, quick: None) -> House:
    """A branch that collects."""
    house.members.change("b2", state="failed")
    house.put("w1")
    judge(house)
    return house


def feed_of(house: House) -> TaskFeed:
    return house.service.telemetry._task_feed


def page(house: House, after: tuple[int, int] | None = None, wait_s: float = 0.0) -> TaskPage:
    return house.service.task_events_here(after, wait_s=wait_s, timeout_s=5.0)


def tell(house: House, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        house.listeners.tell(BROKER, told(TaskDeed.RECEIVED, f"u{number}", name="add"))


def test_events_are_kept_for_nobody_while_nobody_asks(alone: House) -> None:
    tell(alone, 3)
    assert page(alone) == TaskPage(events=(), cursor=NOTHING)
    tell(alone, 3, first=3)
    assert [event.data["uuid"] for event in page(alone, NOTHING).events] == ["u3", "u4", "u5"]
    alone.clock.advance(LEASE_S + 1)
    assert not feed_of(alone).is_wanted
    tell(alone, 3, first=6)
    assert page(alone, (3, 0)).events == ()


def test_an_event_tells_whose_it_is_and_no_more_than_is_known(alone: House) -> None:
    page(alone)
    alone.listeners.tell(
        BROKER,
        told(TaskDeed.RECEIVED, name="add", queue="q", retries=1),
        told(TaskDeed.FAILED, after_s=1, exception="ValueError('x')"),
        told(TaskDeed.STARTED, "u2", node="celery@elsewhere"),
    )
    first, second, third = page(alone, NOTHING).events
    assert (first.kind, first.app, first.instance, first.branch) == (
        "task.received",
        "shop",
        "w1",
        "b1",
    )
    assert first.data == {
        "uuid": "u1",
        "name": "add",
        "queue": "q",
        "worker": "w1@b1",
        "retries": 1,
    }
    assert (second.kind, second.reason) == ("task.failed", "add failed: ValueError('x')")
    assert second.data["exception"] == "ValueError('x')"
    assert (third.app, third.instance, third.branch) == (None, None, "b1")
    assert third.reason == "a task was started"
    assert [event.seq for event in (first, second, third)] == [1, 2, 3]


def test_so_many_events_are_passed_on_a_second_and_the_others_counted(alone: House) -> None:
    page(alone)
    tell(alone, PER_S_MAX + 30)
    first = page(alone, NOTHING)
    assert (len(first.events), first.left_out) == (PER_S_MAX, 30)
    tell(alone, 5, first=500)
    assert page(alone, first.cursor).left_out == 5
    alone.clock.advance(1.0)
    tell(alone, 1, first=1000)
    second = page(alone, first.cursor)
    assert (len(second.events), second.left_out) == (1, 5)
    assert page(alone, second.cursor).left_out == 0


def test_who_comes_too_late_is_told_how_many_it_missed(
    alone: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    page(alone)
    for second in range(10):
        tell(alone, PER_S_MAX, first=second * PER_S_MAX)
        alone.clock.advance(1.0)
        page(alone, None)
    late = page(alone, NOTHING)
    assert len(late.events) == task_feed.KEPT_MAX
    assert late.left_out == 10 * PER_S_MAX - task_feed.KEPT_MAX


def test_a_place_of_an_earlier_life_is_now(alone: House) -> None:
    page(alone)
    tell(alone, 2)
    assert page(alone, (999, 0)) == TaskPage(events=(), cursor=(2, 0))


def test_who_waits_is_answered_as_soon_as_something_comes(alone: House) -> None:
    waiting = gevent.spawn(page, alone, None, 60.0)
    gevent.sleep(0)
    tell(alone, 1)
    assert len(waiting.get(timeout=20.0).events) == 1


# --- across branches -----------------------------------------------------------------------------


def watched(house: House) -> list[Event]:
    """Watch the tasks at a branch, and return what comes as it comes."""
    came: list[Event] = []
    feed = house.service.feed

    def notify() -> None:
        came.extend(arrival.event for arrival in subscription.take()[0])

    subscription = feed.subscribe(EventFilter(kinds=("task.*",)), tasks=True, notify=notify)
    return came


def test_who_watches_any_branch_sees_what_the_collector_hears(town: Town) -> None:
    listening, other = collector(town)
    seen = {name: watched(house) for name, house in town.houses.items()}
    for house in town.houses.values():
        house.service.telemetry.start()
    eventually(lambda: feed_of(listening).is_wanted)
    number = iter(range(10_000))

    def all_see() -> bool:
        tell(listening, 1, first=next(number))
        return all(seen.values())

    eventually(all_see)
    assert {event.kind for events in seen.values() for event in events} == {"task.received"}
    assert not feed_of(other).is_wanted


def test_nobody_is_asked_while_nobody_watches(town: Town) -> None:
    listening, other = collector(town)
    other.service.telemetry.start()
    other.service.telemetry._pulling._look()
    assert "task_events_here" not in {call for _, call in town.asked}
    assert not feed_of(listening).is_wanted

    subscription = other.service.feed.subscribe(EventFilter(), tasks=True)
    eventually(lambda: feed_of(listening).is_wanted)
    subscription.close()
    eventually(lambda: not other.service.telemetry._pulling._pulled)


def test_a_collector_that_does_not_answer_is_asked_again_and_left_when_another_takes_over(
    town: Town,
) -> None:
    listening, other = collector(town)
    town.cut.add(str(listening.replica.branch_id))
    came = watched(other)
    other.service.telemetry.start()
    eventually(lambda: len([1 for _, call in town.asked if call == "task_events_here"]) >= 2)
    gone(town, listening)
    judge(other)
    number = iter(range(10_000))

    def sees() -> Any:
        tell(other, 1, first=next(number))
        return came

    eventually(sees)


def test_a_fault_ends_no_watching(alone: House, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = [RuntimeError("odd")]
    pulling = alone.service.telemetry._pulling
    look_really = pulling._look

    def look() -> None:
        if faults:
            raise faults.pop()
        look_really()

    monkeypatch.setattr(pulling, "_look", look)
    watched(alone)
    alone.service.telemetry.start()
    eventually(lambda: pulling._pulled)


def test_a_fault_ends_no_pulling(alone: House, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = [RuntimeError("odd")]
    page_really = feed_of(alone).page

    def page(after: tuple[int, int] | None, *, wait_s: float) -> TaskPage:
        if faults:
            raise faults.pop()
        return page_really(after, wait_s=wait_s)

    monkeypatch.setattr(feed_of(alone), "page", page)
    came = watched(alone)
    alone.service.telemetry.start()
    number = iter(range(10_000))

    def sees() -> Any:
        tell(alone, 1, first=next(number))
        return came

    eventually(sees)
