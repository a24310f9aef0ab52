"""A branch that may have lost what it owned looks, and does nothing."""

from __future__ import annotations

import pytest

from cyme.core.status import InstanceState
from cyme.core.workers import Look, Process
from tests.runtime.world import ADMIN, World, running


def forbid(world: World) -> None:
    world.may_act = False


# --- while it may not act ------------------------------------------------------------------------


def test_starts_nothing_while_it_may_not_act_and_says_so(world: World) -> None:
    forbid(world)
    world.put("w1")
    world.pass_time(20)
    assert world.workers.launches == []
    assert "not learnt from the others" in world.status("w1").reason


def test_goes_on_as_soon_as_it_may_act(world: World) -> None:
    forbid(world)
    world.put("w1")
    world.pass_time(20)
    world.may_act = True
    world.pass_time(5)
    assert world.state("w1") is InstanceState.RUNNING


def test_stops_nothing_while_it_may_not_act(world: World) -> None:
    running(world, "w1", "w2", "w3")
    forbid(world)
    world.put("w1", is_enabled=False)
    world.put("w2", pool="gevent")
    world.delete("w3")
    world.pass_time(100)
    assert [world.workers.of(name).signals for name in ("w1", "w2", "w3")] == [[], [], []]
    world.may_act = True
    world.pass_time(5)
    assert world.state("w1") is InstanceState.STOPPED
    assert world.status("w2").restarts == 1
    assert world.workers.discarded == ["w3"]


def test_still_looks_at_processes_while_it_may_not_act(world: World) -> None:
    running(world, "w1")
    forbid(world)
    world.workers.of("w1").children = (77,)
    world.pass_time(2)
    assert world.status("w1").pids == (10_001, 77)
    world.workers.kill("w1")
    world.pass_time(20)
    assert world.status("w1").pids == ()
    assert "its process is gone" in world.status("w1").reason
    assert len(world.workers.launches) == 1


def test_a_worker_that_died_meanwhile_is_restarted_as_soon_as_that_may_be(world: World) -> None:
    running(world, "w1")
    forbid(world)
    world.workers.kill("w1")
    world.pass_time(20)
    world.may_act = True
    world.pass_time(5)
    assert world.state("w1") is InstanceState.RUNNING
    assert world.status("w1").restarts == 1


def test_tells_workers_nothing_while_it_may_not_act(world: World) -> None:
    running(world, "w1")
    forbid(world)
    world.workers.of("w1").queues.clear()
    world.put("w1", max_concurrency=4)
    world.pass_time(60)
    assert world.controls.calls_of("add_consumer") == []
    assert world.controls.calls_of("autoscale") == []
    world.may_act = True
    world.pass_time(10)
    assert world.workers.of("w1").queues == {"dq.w1"}
    assert world.workers.of("w1").limits == (1, 4)


def test_silence_while_it_may_not_act_is_held_against_nobody(world: World) -> None:
    running(world, "w1")
    world.workers.pause("w1")
    forbid(world)
    world.pass_time(300)
    world.may_act = True
    world.pass_time(20)
    assert world.workers.of("w1").signals == []


def test_a_warm_stop_grows_no_firmer_while_it_may_not_act(world: World) -> None:
    running(world, "w1")
    world.workers.of("w1").ignores.add("TERM")
    world.put("w1", is_enabled=False)
    world.pass_time(1)
    forbid(world)
    world.pass_time(100)
    assert world.workers.of("w1").signals == ["TERM"]


def test_a_start_under_way_is_not_given_up_for_the_time_it_may_not_act(world: World) -> None:
    world.workers.boot_s = 200
    world.put("w1")
    world.pass_time(5)
    forbid(world)
    world.pass_time(190)
    world.may_act = True
    world.pass_time(20)
    assert world.state("w1") is InstanceState.RUNNING
    assert world.status("w1").restarts == 0


# --- when the permission goes between the decision and the deed ---------------------------------


def test_a_start_that_waited_too_long_is_left_undone_and_decided_anew(world: World) -> None:
    world.put("other")
    world.declare("tasks")
    world.pass_time(5)
    # While the queues are tried out the whole process stands still, and wakes with a fence up.
    world.controls.on_call = lambda call: forbid(world) if call[0] == "check_queue" else None
    world.put("w1", queues=["tasks"])
    world.pass_time(20)
    assert world.workers.alive() == ["other"]
    assert world.state("w1") is InstanceState.PENDING
    assert "instance.withheld" in world.kinds("w1")
    assert "instance.failed" not in world.kinds("w1")
    world.controls.on_call = None
    world.may_act = True
    world.pass_time(5)
    assert world.state("w1") is InstanceState.RUNNING
    assert world.status("w1").restarts == 0


def decide_in_vain(world: World) -> None:
    """Have a pass decide, and the permission go before anything is done."""
    world.may_act = True
    world.supervisor.pass_now()
    forbid(world)


def test_a_stop_that_waited_too_long_is_left_undone(world: World) -> None:
    running(world, "w1")
    forbid(world)
    world.put("w1", is_enabled=False)
    decide_in_vain(world)
    assert world.state("w1") is InstanceState.STOPPING
    world.pass_time(100)
    assert world.workers.of("w1").signals == []
    assert world.state("w1") is InstanceState.RUNNING
    assert world.status("w1").pids == (10_001,)


def test_a_stop_that_was_left_undone_grows_no_firmer_than_it_was(world: World) -> None:
    running(world, "w1")
    world.workers.of("w1").ignores |= {"TERM", "QUIT"}
    forbid(world)
    world.put("w1", is_enabled=False)
    decide_in_vain(world)
    world.pass_time(100)
    world.may_act = True
    world.pass_time(10)
    assert world.workers.of("w1").signals == ["TERM"]


def test_a_restart_that_was_left_undone_is_not_forgotten(world: World) -> None:
    running(world, "w1")
    forbid(world)
    world.supervisor.restart("w1")
    decide_in_vain(world)
    world.pass_time(10)
    assert world.workers.of("w1").signals == []
    world.may_act = True
    world.pass_time(5)
    assert world.status("w1").restarts == 1


def test_a_failure_is_counted_once_though_its_cleaning_up_was_left_undone(world: World) -> None:
    running(world, "w1")
    forbid(world)
    world.workers.kill("w1")
    for _ in range(5):
        decide_in_vain(world)
        world.pass_time(1)
    world.may_act = True
    world.pass_time(3)
    assert world.state("w1") is InstanceState.RUNNING


def test_what_remote_control_learnt_meanwhile_stays_learnt(world: World) -> None:
    running(world, "w1")
    world.declare("tasks")
    world.service.add_consumer("foo", "w1", "tasks", caller=ADMIN, timeout_s=5)
    world.supervisor.pass_now()  # it is being told
    forbid(world)
    world.supervisor.restart("w1")
    decide_in_vain(world)
    world.pass_time(10)
    world.workers.of("w1").queues.clear()
    world.pass_time(10)
    world.may_act = True
    world.pass_time(10)
    assert world.workers.of("w1").queues == {"dq.w1", "tasks"}


def test_files_are_kept_when_the_permission_goes_before_they_are_removed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(world, "w1")
    sweep = world.workers.sweep

    def sweep_and_forbid(name: str) -> int:
        forbid(world)
        return sweep(name)

    monkeypatch.setattr(world.workers, "sweep", sweep_and_forbid)
    world.delete("w1")
    world.pass_time(10)
    assert world.workers.discarded == []
    monkeypatch.setattr(world.workers, "sweep", sweep)
    world.may_act = True
    world.pass_time(5)
    assert world.workers.discarded == ["w1"]


def test_nothing_is_swept_without_permission(world: World) -> None:
    world.put("other")
    world.declare("tasks")
    world.controls.on_call = lambda call: forbid(world) if call[0] == "check_queue" else None
    world.put("w1", queues=["tasks"])
    world.pass_time(5)
    assert "w1" not in world.workers.swept


def test_nothing_is_started_when_the_permission_goes_while_remains_are_swept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid_and_sweep(_: str) -> int:
        forbid(world)
        return 0

    monkeypatch.setattr(world.workers, "sweep", forbid_and_sweep)
    world.put("w1")
    world.pass_time(5)
    assert world.workers.launches == []
    assert world.state("w1") is InstanceState.PENDING


def test_a_worker_is_not_told_of_a_queue_without_permission(world: World) -> None:
    running(world, "w1")
    world.declare("tasks")
    forbid(world)
    world.service.add_consumer("foo", "w1", "tasks", caller=ADMIN, timeout_s=5)
    decide_in_vain(world)
    world.pass_time(10)
    assert world.controls.calls_of("add_consumer") == []
    world.may_act = True
    world.pass_time(10)
    assert world.workers.of("w1").queues == {"dq.w1", "tasks"}


def test_a_start_is_left_undone_where_it_is_not_wished_any_more(world: World) -> None:
    world.put("other")
    world.declare("tasks")
    world.pass_time(5)
    world.put("w1", queues=["tasks"])

    def disable(call: tuple[str, ...]) -> None:
        if call[0] == "check_queue":
            world.controls.on_call = None
            world.put("w1", is_enabled=False)
            world.supervisor.pass_now()

    world.controls.on_call = disable
    world.pass_time(10)
    assert [launch.instance for launch in world.workers.launches] == ["other"]
    assert world.state("w1") is InstanceState.STOPPED


def test_permission_is_asked_anew_for_every_instance_of_a_pass(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(world, "w1", "w2")
    look = world.workers.look

    def look_and_forbid(process: Process) -> Look:
        if process == world.workers.of("w1").process:
            forbid(world)
        return look(process)

    world.workers.kill("w2")
    monkeypatch.setattr(world.workers, "look", look_and_forbid)
    world.pass_time(10)
    assert len(world.workers.launches) == 2
