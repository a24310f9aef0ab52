"""The brokers in use: each watched once, as long as it is used, however much is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import gevent
import pytest

from cyme.adapters.clock import SystemClock
from cyme.core.model import Broker
from cyme.core.ports import Control
from cyme.errors import BrokerUnavailable, DeadlineExceeded, Overloaded
from cyme.runtime import brokers as module
from cyme.runtime import control_in_turn
from cyme.runtime.brokers import BROKERS_MAX, IDLE_CLOSE_S, RETRY_S_MAX, Brokers
from cyme.runtime.journal import Journal
from cyme.testing import FakeClock, FakeControls, FakeWorkers
from cyme.testing.brokers import FakeControl
from tests.runtime.world import BROKER, INTERVAL_S, OTHER_BROKER, World
from tests.waiting import eventually


class CountedControls(FakeControls):
    """Remembers every control that it made."""

    def __init__(self) -> None:
        super().__init__(FakeWorkers(FakeClock()))
        self.made: list[FakeControl] = []

    def control(self, broker: Broker) -> FakeControl:
        self.made.append(super().control(broker))
        return self.made[-1]


class SlowWorkers(CountedControls):
    """Workers whose statistics take their time."""

    def __init__(self, stats_s: float) -> None:
        super().__init__()
        self.on_call = lambda call: gevent.sleep(stats_s) if call[0] == "stats" else None


@pytest.fixture
def controls() -> CountedControls:
    return CountedControls()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def brokers(controls: CountedControls, clock: FakeClock) -> Iterator[Brokers]:
    brokers = Brokers(controls, clock, Journal(clock), interval_s=INTERVAL_S)
    yield brokers
    brokers.stop(5)


def numbered(number: int) -> Broker:
    return Broker(f"redis://127.0.0.1:6379/{number}")


def has_surveyed(controls: FakeControls, count: int) -> bool:
    return len(controls.calls_of("survey")) == count


def urls(brokers: Brokers) -> set[str]:
    return {broker.url for broker, _ in brokers.views()}


# --- as long as they are used --------------------------------------------------------------------


def test_a_broker_is_left_when_its_last_instance_is_gone(world: World) -> None:
    world.put("w1")
    world.put("w2", broker=OTHER_BROKER)
    world.pass_time(10)
    assert urls(world.brokers) == {BROKER.url, OTHER_BROKER.url}
    world.delete("w2")
    world.pass_time(IDLE_CLOSE_S + 40)
    assert urls(world.brokers) == {BROKER.url}


def test_the_connection_to_a_broker_that_was_left_is_closed(
    brokers: Brokers, controls: CountedControls, clock: FakeClock
) -> None:
    brokers.watch_of(BROKER)
    clock.advance(IDLE_CLOSE_S + 1)
    brokers.leave_idle()
    eventually(lambda: controls.made[0].closed)


def test_a_broker_that_is_kept_is_never_left(brokers: Brokers, clock: FakeClock) -> None:
    brokers.keep(BROKER)
    brokers.watch_of(OTHER_BROKER)
    clock.advance(IDLE_CLOSE_S + 1)
    brokers.leave_idle()
    assert urls(brokers) == {BROKER.url}


def test_idle_brokers_make_room_for_others(brokers: Brokers, clock: FakeClock) -> None:
    for number in range(BROKERS_MAX):
        brokers.watch_of(numbered(number))
    with pytest.raises(Overloaded):
        brokers.watch_of(BROKER)
    clock.advance(IDLE_CLOSE_S + 1)
    brokers.watch_of(BROKER)
    assert urls(brokers) == {BROKER.url}


def test_a_broker_is_watched_once_though_many_ask_while_room_is_made(
    brokers: Brokers, controls: CountedControls, clock: FakeClock
) -> None:
    for number in range(BROKERS_MAX):
        brokers.watch_of(numbered(number))
    gevent.sleep(0)  # the watches are under way, so that ending them takes a turn
    clock.advance(IDLE_CLOSE_S + 1)
    controls.made.clear()
    asking = [gevent.spawn(brokers.watch_of, BROKER) for _ in range(3)]
    gevent.joinall(asking, raise_error=True, timeout=5)
    assert len(controls.made) == 1


def test_what_is_counted_by_several_logins_of_a_broker_is_told_together(
    brokers: Brokers, controls: CountedControls
) -> None:
    right, wrong, other = (Broker(f"redis://{it}@h:1/0") for it in (":a", ":b", ":c"))
    controls.down |= {wrong.url, other.url}
    for broker in (wrong, right, other):
        brokers.watch_of(broker)
    eventually(lambda: brokers.measures()["redis://h:1/0"].failures == 2)
    eventually(lambda: brokers.measures()["redis://h:1/0"].is_up is True)
    assert brokers.measures()["redis://h:1/0"].surveys == 3


# --- however much is asked of them ---------------------------------------------------------------


def test_workers_are_surveyed_while_calls_without_end_wait() -> None:
    clock = SystemClock()
    controls = SlowWorkers(stats_s=0.02)
    brokers = Brokers(controls, clock, Journal(clock), interval_s=0.1)
    control = brokers.control(BROKER)
    asking = [gevent.spawn(_ask_for_ever, control) for _ in range(5)]
    try:
        eventually(lambda: len(controls.calls_of("survey")) > 3)
    finally:
        gevent.killall(asking)
        brokers.stop(5)


def test_calls_are_made_though_every_survey_takes_longer_than_an_interval() -> None:
    clock = SystemClock()
    controls = CountedControls()
    controls.on_call = lambda call: gevent.sleep(0.03) if call[0] == "survey" else None
    brokers = Brokers(controls, clock, Journal(clock), interval_s=0.01)
    control = brokers.control(BROKER)
    eventually(lambda: len(controls.calls_of("survey")) > 3)
    asking = [gevent.spawn(_ask_for_ever, control) for _ in range(3)]
    try:
        eventually(lambda: len(controls.calls_of("stats")) > 3)
    finally:
        gevent.killall(asking)
        brokers.stop(5)


def test_calls_are_made_while_a_broker_is_away_and_asked_seldom(
    brokers: Brokers, controls: CountedControls, clock: FakeClock
) -> None:
    controls.down.add(BROKER.url)
    control = brokers.control(BROKER)
    # The pauses between two surveys grow beyond an interval.
    surveys = 0
    while surveys < 6:
        clock.advance(RETRY_S_MAX)
        brokers.watch_of(BROKER).wake()
        surveys += 1
        eventually(partial(has_surveyed, controls, surveys))
    clock.advance(RETRY_S_MAX - 1.0)
    with pytest.raises(BrokerUnavailable), gevent.Timeout(5):
        control.stats("w1@branch1", timeout_s=5)
    assert has_surveyed(controls, surveys)


def test_calls_are_made_while_no_survey_is_due(
    brokers: Brokers, controls: CountedControls, clock: FakeClock
) -> None:
    control = brokers.control(BROKER)
    eventually(lambda: controls.calls_of("survey"))
    clock.advance(INTERVAL_S - 1.0)
    asking = gevent.spawn(_expect_no_answer, control, "w1@branch1", 5.0)
    eventually(lambda: controls.calls_of("stats"))
    asking.join(5)


def _ask_for_ever(control: Control) -> None:
    while True:
        with pytest.raises(DeadlineExceeded):
            control.stats("w1@branch1", timeout_s=5)


def test_a_call_that_nobody_waits_for_any_more_is_not_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(control_in_turn, "TURN_S", 0.0)
    monkeypatch.setattr(module, "SURVEY_TIMEOUT_S", 0.1)
    clock = SystemClock()
    controls = SlowWorkers(stats_s=0.3)
    brokers = Brokers(controls, clock, Journal(clock), interval_s=60.0)
    control = brokers.control(BROKER)
    try:
        long = gevent.spawn(_expect_no_answer, control, "long@branch1", 5.0)
        eventually(lambda: controls.calls_of("stats"))
        _expect_no_answer(control, "short@branch1", 0.01)
        long.join()
        _expect_no_answer(control, "last@branch1", 5.0)
        assert [call[1] for call in controls.calls_of("stats")] == ["long@branch1", "last@branch1"]
    finally:
        brokers.stop(5)


def _expect_no_answer(control: Control, node: str, timeout_s: float) -> None:
    with pytest.raises(DeadlineExceeded):
        control.stats(node, timeout_s=timeout_s)
