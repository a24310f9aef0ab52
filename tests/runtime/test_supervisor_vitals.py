"""What the supervisor tells of workers, and counts of itself."""

from __future__ import annotations

import pytest

from cyme.core.collectors import broker_key
from cyme.core.status import InstanceState
from tests.runtime.world import BROKER, World


def test_tells_what_workers_take(world: World) -> None:
    world.put("w1", max_concurrency=3)
    world.put("w2", is_enabled=False)
    world.pass_time(10)
    world.workers.of("w1").children = (77, 78)
    world.pass_time(1)
    world.workers.of("w1").cpu_s += 2.0
    world.pass_time(1)
    told = {each.name: each for each in world.supervisor.vitals()}

    assert told["w1"].cpu == pytest.approx(2.0)
    assert told["w1"].memory_bytes == 3 * 50_000_000
    assert told["w1"].processes == 3
    assert told["w1"].uptime_s == pytest.approx(12.0, abs=1.5)
    assert told["w1"].slots == 3
    assert (told["w2"].processes, told["w2"].cpu, told["w2"].memory_bytes) == (0, None, None)


def test_tells_of_its_own_instances_alone(world: World) -> None:
    world.foreign("w9")
    world.supervisor.prepare(world.record("w9"))
    world.pass_time(10)

    assert world.supervisor.guests() == ["w9"]
    assert world.supervisor.vitals() == []


def test_a_worker_that_is_gone_takes_nothing(world: World) -> None:
    world.put("w1")
    world.pass_time(10)
    world.workers.refuses["w1"] = "no room"
    world.workers.kill("w1")
    world.pass_time(2)

    (told,) = world.supervisor.vitals()
    assert (told.processes, told.memory_bytes, told.uptime_s) == (0, None, None)


def test_counts_restarts_passes_and_surveys(world: World) -> None:
    world.put("w1")
    world.pass_time(10)
    assert world.supervisor.restarts == 0
    world.workers.kill("w1")
    world.pass_time(10)
    assert world.state("w1") is InstanceState.RUNNING
    assert world.supervisor.restarts == 1
    assert world.supervisor.passes.up_to()[-1] >= 40

    before = world.brokers.measures()[broker_key(BROKER)]
    assert before.is_up
    assert before.surveys > 1
    assert before.failures == 0
    world.controls.down.add(BROKER.url)
    world.pass_time(10)
    after = world.brokers.measures()[broker_key(BROKER)]
    assert not after.is_up
    assert after.failures > 0
