"""How often workers are asked where many branches share a broker."""

from __future__ import annotations

import pytest

from cyme.adapters.clock import SystemClock
from cyme.core.status import InstanceState
from cyme.runtime.brokers import Brokers
from cyme.runtime.journal import Journal
from cyme.testing import FakeClock, FakeControls, FakeWorkers
from tests.runtime.world import BRANCH, BROKER, INTERVAL_S, POLICY, World
from tests.waiting import eventually

STRETCH = 40.0


@pytest.fixture
def crowd(world: World) -> World:
    """A branch among many, with two workers that answer, and a fresh interval before it."""
    world.stretch = STRETCH
    world.put("w1")
    world.put("w2")
    world.pass_time(10)
    world.supervisor.nudge("w1")
    world.pass_time(1)
    world.controls.calls.clear()
    return world


def asked(world: World) -> list[set[str]]:
    """Return whom each question since then asked."""
    suffix = f"@{BRANCH}"
    return [
        {node.removesuffix(suffix) for node in call[1:]}
        for call in world.controls.calls_of("survey")
    ]


def test_workers_that_answer_are_asked_as_seldom_as_the_crowd_demands(crowd: World) -> None:
    crowd.pass_time(INTERVAL_S * STRETCH - 5)
    assert {"w1", "w2"} not in asked(crowd)
    crowd.pass_time(10)
    assert asked(crowd).count({"w1", "w2"}) == 1


def test_a_small_cluster_asks_at_every_interval(crowd: World) -> None:
    crowd.stretch = 1.0
    crowd.supervisor.nudge("w1")
    crowd.pass_time(INTERVAL_S * 4 + 1)
    assert asked(crowd) == [{"w1", "w2"}] * 5


def test_an_interval_is_never_shortened(crowd: World) -> None:
    crowd.stretch = 0.1
    crowd.supervisor.nudge("w1")
    crowd.pass_time(INTERVAL_S * 4 + 1)
    assert asked(crowd) == [{"w1", "w2"}] * 5


def test_an_outage_is_noticed_as_soon_as_ever(crowd: World) -> None:
    crowd.controls.down.add(BROKER.url)
    crowd.pass_time(INTERVAL_S + 1)
    assert crowd.state("w1") is InstanceState.UNKNOWN


def test_the_broker_is_looked_at_without_a_question_to_any_worker(crowd: World) -> None:
    crowd.pass_time(INTERVAL_S * 4)
    assert asked(crowd) == [set()] * 4


def test_who_missed_a_question_is_asked_again_at_the_usual_interval(crowd: World) -> None:
    crowd.workers.of("w1").answers = False
    crowd.workers.of("w1").cpu_s = 1.0
    crowd.supervisor.nudge("w1")
    crowd.pass_time(INTERVAL_S * 2 + 1)
    assert asked(crowd) == [{"w1", "w2"}, {"w1"}, {"w1"}]
    assert crowd.state("w1") is InstanceState.UNRESPONSIVE


def test_a_hung_worker_is_replaced_in_the_usual_time_after_its_first_missed_question(
    crowd: World,
) -> None:
    crowd.workers.pause("w1")
    crowd.supervisor.nudge("w1")
    crowd.pass_time(POLICY.unresponsive_after_s + INTERVAL_S + 5)
    assert crowd.workers.signalled == [("w1", "KILL")]
    assert crowd.status("w1").restarts == 1


def test_workers_are_seen_to_come_back_with_their_broker(crowd: World) -> None:
    crowd.controls.down.add(BROKER.url)
    crowd.pass_time(INTERVAL_S + 1)
    crowd.workers.of("w1").answers = False
    crowd.controls.down.clear()
    crowd.pass_time(12)
    assert crowd.state("w2") is InstanceState.RUNNING
    assert crowd.state("w1") is InstanceState.UNKNOWN
    crowd.workers.of("w1").answers = True
    crowd.pass_time(INTERVAL_S + 1)
    assert crowd.state("w1") is InstanceState.RUNNING


def test_a_worker_that_cannot_answer_while_it_works_is_not_asked_for_ever(crowd: World) -> None:
    crowd.put("w1", pool="solo")
    crowd.pass_time(10)
    crowd.workers.of("w1").answers = False
    crowd.supervisor.nudge("w1")
    crowd.pass_time(30)
    assert crowd.state("w1") is InstanceState.UNRESPONSIVE
    crowd.controls.calls.clear()
    crowd.pass_time(50)
    assert {"w1"} not in asked(crowd)
    assert crowd.workers.signalled == [("w1", "TERM")]  # of the change of its pool


def test_such_a_worker_is_asked_again_when_it_does_not_even_work(crowd: World) -> None:
    crowd.put("w1", pool="solo")
    crowd.pass_time(10)
    crowd.workers.pause("w1")
    crowd.supervisor.nudge("w1")
    crowd.pass_time(POLICY.unresponsive_after_s + INTERVAL_S + 5)
    assert crowd.workers.signalled[-1] == ("w1", "KILL")


def test_a_start_is_as_quick_as_ever(crowd: World) -> None:
    crowd.put("w3")
    crowd.pass_time(3)
    assert crowd.state("w3") is InstanceState.RUNNING


def test_starts_under_way_keep_nobody_from_being_asked_again(crowd: World) -> None:
    crowd.workers.boot_s = 1000
    crowd.put("w3")
    crowd.workers.of("w1").answers = False
    crowd.supervisor.nudge("w1")
    crowd.pass_time(INTERVAL_S * 3)
    assert asked(crowd).count({"w1"}) == 2


def test_a_watch_wakes_by_itself_to_look_at_its_broker() -> None:
    clock = SystemClock()
    controls = FakeControls(FakeWorkers(FakeClock()))
    brokers = Brokers(controls, clock, Journal(clock), interval_s=0.01, stretch=lambda: 1_000_000.0)
    brokers.watch_of(BROKER)
    try:
        eventually(lambda: len(controls.calls_of("survey")) > 3)
    finally:
        brokers.stop(1)
