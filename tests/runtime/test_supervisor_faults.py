"""What comes at a bad moment, or makes no sense, costs no more than it must."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent.event import Event

from cyme.core.model import (
    EPOCH_STAMP,
    Broker,
    Instance,
    InstanceName,
    Queue,
    QueueName,
    WorkerSpec,
)
from cyme.core.status import InstanceState
from cyme.runtime.supervisor import YIELD_EVERY
from tests.runtime.world import APP, BRANCH, World


def ours(name: str, **fields: Any) -> Instance:
    """An instance of this branch, as another one would send it."""
    said = {"spec": WorkerSpec(), **fields}
    return Instance(name=InstanceName(name), app=APP.name, home=BRANCH, owner=BRANCH, **said)


def test_an_instance_that_cannot_be_understood_costs_no_other_its_worker(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    senseless = WorkerSpec(broker=Broker("amqp://["))
    good = [f"w{number}" for number in range(8)]
    bad = [f"bad{number}" for number in range(3)]
    world.arrive(APP, *map(ours, good), *(ours(name, spec=senseless) for name in bad))
    world.pass_time(60)
    assert {world.state(name) for name in good} == {InstanceState.RUNNING}
    assert all(f"reading what is wished of instance {name} failed" in caplog.text for name in bad)


def test_a_queue_that_cannot_be_read_keeps_its_consumer_from_running(world: World) -> None:
    queue = Queue(app=APP.name, name=QueueName("q"), options="{", stamp=EPOCH_STAMP)
    world.arrive(APP, queue, ours("w1", queues=(queue.name,)))
    world.pass_time(10)
    assert world.state("w1") is InstanceState.STOPPED
    assert "queue 'q'" in world.status("w1").reason


def test_what_was_discarded_in_the_middle_of_a_pass_is_not_discarded_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    discard, goes_on = world.workers.discard, Event()

    def discard_slowly(instance: str) -> None:
        goes_on.wait(5)
        discard(instance)

    monkeypatch.setattr(world.workers, "discard", discard_slowly)
    for number in range(2 * YIELD_EVERY):
        world.put(f"w{number}", is_enabled=False)
    world.put("last", is_enabled=False)
    world.pass_time(1)
    assert world.supervisor._greenlet is not None
    world.supervisor._greenlet.kill()  # the passes are made here
    world.delete("last")
    world.supervisor.pass_now()
    gevent.spawn(goes_on.set)
    world.supervisor.pass_now()
    gevent.sleep(0)
    assert world.workers.discarded == ["last"]
