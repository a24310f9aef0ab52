"""What the supervisor tells of the instances that run here."""

from __future__ import annotations

from dataclasses import replace

from cyme.core.status import InstanceState, InstanceStatus
from tests.runtime.world import BRANCH, OTHER, World

Told = list[tuple[str, InstanceStatus]]


def listen(world: World) -> Told:
    told: Told = []
    world.supervisor.listen(lambda name, status: told.append((name, status)))
    return told


def states(told: Told, name: str) -> list[InstanceState]:
    return [status.state for told_of, status in told if told_of == name]


def test_tells_of_every_state_that_an_instance_comes_into(world: World) -> None:
    told = listen(world)
    world.put("w1")
    world.pass_time(5)
    world.put("w1", is_enabled=False)
    world.pass_time(5)
    passed = dict.fromkeys(states(told, "w1"))  # without what changed within a state
    assert list(passed)[-4:] == [
        InstanceState.STARTING,
        InstanceState.RUNNING,
        InstanceState.STOPPING,
        InstanceState.STOPPED,
    ]
    assert told[-1] == ("w1", world.status("w1"))


def test_tells_of_all_once_at_the_first_pass_after_a_start(world: World) -> None:
    world.put("w1")
    world.put("w2", is_enabled=False)
    world.pass_time(5)
    back = world.restarted()
    try:
        told = listen(back)
        back.supervisor.pass_now()
        assert {name: status.state for name, status in told} == {
            "w1": InstanceState.RUNNING,
            "w2": InstanceState.STOPPED,
        }
    finally:
        back.close()


def test_who_listens_late_is_told_of_all_too(world: World) -> None:
    world.put("w1")
    world.pass_time(5)
    told = listen(world)
    world.pass_time(1)
    assert told == [("w1", world.status("w1"))]


def test_a_second_listener_is_told_of_all_too(world: World) -> None:
    world.put("w1")
    world.pass_time(5)
    listen(world)
    world.pass_time(1)
    told = listen(world)
    world.pass_time(1)
    assert told == [("w1", world.status("w1"))]


def test_tells_nothing_while_nothing_changes(world: World) -> None:
    world.put("w1")
    world.pass_time(5)
    told = listen(world)
    world.pass_time(60)
    assert len(told) == 1


def test_tells_of_its_processes_once_a_second_at_most(world: World) -> None:
    world.put("w1")
    world.pass_time(5)
    told = listen(world)
    for child in range(100, 140):
        world.workers.of("w1").children = (child,)
        world.clock.advance(0.1)
        world.supervisor.pass_now()
    assert len(told) == 4
    world.pass_time(1)
    assert told[-1][1].pids == (10_001, 139)


def test_tells_of_a_new_state_at_once(world: World) -> None:
    world.put("w1")
    world.pass_time(5)
    told = listen(world)
    world.supervisor.pass_now()
    world.workers.kill("w1")
    world.supervisor.pass_now()
    assert len(told) == 2
    assert told[-1][1].state is not InstanceState.RUNNING


def test_tells_of_restarts(world: World) -> None:
    world.put("w1")
    world.pass_time(5)
    told = listen(world)
    world.workers.kill("w1")
    world.pass_time(5)
    assert told[-1][1].restarts == 1


def test_tells_of_a_guest_and_again_when_it_becomes_ours(world: World) -> None:
    told = listen(world)
    world.supervisor.prepare(world.foreign("w1"))
    world.pass_time(5)
    before = len(told)
    assert told[-1][1].state is InstanceState.RUNNING
    world.hand_to("w1", BRANCH)
    world.pass_time(1)
    assert told[before:] == [("w1", world.status("w1"))]


def test_tells_nothing_more_of_what_moved_away(world: World) -> None:
    world.put("w1")
    world.pass_time(5)
    told = listen(world)
    world.hand_to("w1", OTHER)
    world.pass_time(5)
    assert InstanceState.STOPPING not in states(told, "w1")
    record = world.record("w1")
    world.arrive(replace(record, owner=BRANCH, epoch=record.epoch + 1))
    world.pass_time(5)
    assert told[-1][1].state is InstanceState.RUNNING
