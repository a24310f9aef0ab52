"""The supervisor over fakes: what the passes, the surveys and the effects make of each other."""

from __future__ import annotations

import time
from typing import Any

import gevent
import pytest

from cyme.core import reconcile
from cyme.core.status import InstanceState
from cyme.core.supervision import Decision
from cyme.core.workers import Launch, Look, Process
from cyme.runtime import brokers, supervisor
from cyme.runtime.supervisor import Supervisor
from cyme.testing import FakeWorker, FakeWorkers
from tests.runtime.world import ADMIN, BROKER, OTHER_BROKER, World
from tests.waiting import eventually


def running(world: World, *names: str, **changes: object) -> None:
    for name in names:
        world.put(name, **changes)
    world.pass_time(10)
    for name in names:
        assert world.state(name) is InstanceState.RUNNING, world.status(name)


def test_starts_a_new_instance_and_sees_it_answer(world: World) -> None:
    running(world, "w1")
    assert world.workers.alive() == ["w1"]
    assert world.status("w1").pids == (10_001,)
    assert "instance.started" in world.kinds("w1")


def test_starts_no_more_at_once_than_it_may(world: World) -> None:
    starting: list[int] = []

    def count(worker: FakeWorker) -> None:
        starting.append(sum(world.state(f"w{n}") is InstanceState.STARTING for n in range(6)))

    world.workers.on_start = count
    running(world, *(f"w{n}" for n in range(6)))
    assert max(starting) <= 2


def test_restarts_a_killed_worker_and_sweeps_what_it_left(world: World) -> None:
    running(world, "w1")
    world.workers.of("w1").children = (77,)
    world.workers.kill("w1")
    world.pass_time(4)
    assert world.state("w1") is InstanceState.RUNNING
    assert world.status("w1").restarts == 1
    assert set(world.workers.swept) == {"w1"}
    assert {"instance.failed", "instance.swept", "instance.restarting"} <= set(world.kinds("w1"))


def test_gives_up_with_the_last_words_of_a_worker_that_cannot_start(world: World) -> None:
    world.workers.logs["w1"] = ["Traceback:", "ImportError: No module named 'shop'", ""]
    world.workers.on_start = lambda worker: world.workers.kill("w1", exit_status=1)
    world.put("w1")
    world.pass_time(60)
    assert world.state("w1") is InstanceState.DISABLED
    assert "No module named 'shop'" in world.status("w1").reason


def test_gives_up_with_what_the_command_of_celery_says(world: World) -> None:
    world.workers.logs["w1"] = ["Usage: ...", "Error:", "Unable to load it.", "No module shop."]
    world.workers.on_start = lambda worker: world.workers.kill("w1", exit_status=2)
    world.put("w1")
    world.pass_time(60)
    assert "No module shop." in world.status("w1").reason


def test_tells_of_an_interpreter_that_is_not_there(world: World) -> None:
    world.workers.refuses["w1"] = "there is no /opt/python on this machine"
    world.put("w1")
    world.pass_time(60)
    assert world.state("w1") is InstanceState.DISABLED
    assert "/opt/python" in world.status("w1").reason


def test_a_restart_that_is_asked_for_revives_what_was_given_up(world: World) -> None:
    world.workers.refuses["w1"] = "no"
    world.put("w1")
    world.pass_time(60)
    world.workers.refuses.clear()
    world.supervisor.restart("w1")
    world.pass_time(5)
    assert world.state("w1") is InstanceState.RUNNING


def test_stops_a_disabled_instance_and_starts_it_again(world: World) -> None:
    running(world, "w1")
    world.put("w1", is_enabled=False)
    world.pass_time(2)
    assert world.state("w1") is InstanceState.STOPPED
    assert world.workers.alive() == []
    world.put("w1", is_enabled=True)
    world.pass_time(5)
    assert world.state("w1") is InstanceState.RUNNING


def test_a_stop_grows_firmer(world: World) -> None:
    running(world, "w1")
    worker = world.workers.of("w1")
    worker.ignores |= {"TERM", "QUIT"}
    world.delete("w1")
    world.pass_time(30)
    assert worker.signals == ["TERM", "QUIT", "KILL"]
    assert world.workers.discarded == ["w1"]


def test_a_deleted_instance_can_be_created_again_while_it_stops(world: World) -> None:
    running(world, "w1")
    world.workers.of("w1").ignores.add("TERM")
    world.delete("w1")
    world.pass_time(1)
    world.put("w1")
    world.pass_time(40)
    assert world.state("w1") is InstanceState.RUNNING


def test_a_deleted_instance_can_be_created_again_while_its_files_are_removed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(world, "w1")
    discard = world.workers.discard

    def discard_late(name: str) -> None:
        monkeypatch.setattr(world.workers, "discard", discard)
        world.put("w1")
        world.supervisor.pass_now()
        discard(name)

    monkeypatch.setattr(world.workers, "discard", discard_late)
    world.delete("w1")
    world.pass_time(20)
    assert world.state("w1") is InstanceState.RUNNING


def test_adds_and_cancels_consumers_at_once(world: World) -> None:
    running(world, "w1")
    world.declare("tasks")
    world.service.add_consumer("foo", "w1", "tasks", caller=ADMIN, timeout_s=5)
    world.pass_time(1)
    assert world.workers.of("w1").queues == {"dq.w1", "tasks"}
    world.service.cancel_consumer("foo", "w1", "tasks", caller=ADMIN, timeout_s=5)
    world.pass_time(1)
    assert world.workers.of("w1").queues == {"dq.w1"}


def test_mends_a_consumer_that_was_lost(world: World) -> None:
    running(world, "w1")
    world.workers.of("w1").queues.clear()
    world.pass_time(10)
    assert world.workers.of("w1").queues == {"dq.w1"}


def test_mends_limits_that_somebody_else_changed(world: World) -> None:
    running(world, "w1")
    world.workers.of("w1").limits = (3, 9)
    world.pass_time(60)
    assert world.workers.of("w1").limits == (1, 1)


def test_changes_limits_without_a_restart(world: World) -> None:
    running(world, "w1")
    world.put("w1", max_concurrency=4, min_concurrency=2)
    world.pass_time(2)
    assert world.workers.of("w1").limits == (2, 4)
    assert world.status("w1").restarts == 0


def test_a_change_of_the_pool_restarts_warmly(world: World) -> None:
    running(world, "w1")
    first = world.workers.of("w1")
    world.put("w1", pool="gevent")
    world.pass_time(5)
    assert first.signals == ["TERM"]
    assert world.state("w1") is InstanceState.RUNNING
    assert dict(world.workers.of("w1").launch.options)["-P"] == "gevent"


def test_a_queue_that_the_broker_refuses_never_reaches_a_worker(world: World) -> None:
    running(world, "w1")
    world.declare("bad")
    world.controls.refused["bad"] = "inequivalent arg 'durable'"
    world.service.add_consumer("foo", "w1", "bad", caller=ADMIN, timeout_s=5)
    world.pass_time(10)
    assert world.controls.calls_of("add_consumer") == []
    assert "instance.queue-refused" in world.kinds("w1")
    assert world.state("w1") is InstanceState.RUNNING


def test_a_refused_queue_is_left_out_at_the_start(world: World) -> None:
    world.put("other")
    world.declare("bad")
    world.controls.refused["bad"] = "no such type"
    world.put("w1", queues=["bad"])
    world.pass_time(10)
    assert world.workers.of("w1").queues == {"dq.w1"}


def test_a_queue_that_ended_its_worker_is_not_replayed(world: World) -> None:
    running(world, "w1")
    world.declare("bad")
    world.controls.deadly.add("bad")
    world.service.add_consumer("foo", "w1", "bad", caller=ADMIN, timeout_s=5)
    world.pass_time(30)
    assert world.state("w1") is InstanceState.RUNNING
    assert world.status("w1").restarts == 1
    assert len(world.controls.calls_of("add_consumer")) == 1


def test_an_outage_restarts_nothing_and_concerns_nobody_else(world: World) -> None:
    running(world, "near")
    running(world, "far", broker=OTHER_BROKER)
    world.controls.down.add(OTHER_BROKER.url)
    world.pass_time(300)
    assert world.state("far") is InstanceState.UNKNOWN
    assert world.state("near") is InstanceState.RUNNING
    world.controls.down.clear()
    world.pass_time(30)
    assert world.state("far") is InstanceState.RUNNING
    assert world.status("far").restarts == 0
    kinds = [event.kind for event in world.journal.recent(1000)]
    assert kinds.count("broker.lost") == 1
    assert kinds.count("broker.revived") == 1


def test_starts_nothing_on_a_broker_that_is_away(world: World) -> None:
    world.controls.down.add(BROKER.url)
    world.put("w1")
    world.pass_time(20)
    assert world.workers.launches == []
    assert "broker" in world.status("w1").reason
    world.controls.down.clear()
    world.pass_time(20)
    assert world.state("w1") is InstanceState.RUNNING


def test_a_broker_too_many_concerns_its_own_instances_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "BROKERS_MAX", 1)
    running(world, "near")
    world.put("far", broker=OTHER_BROKER)
    world.pass_time(5)
    assert world.state("far") is InstanceState.PENDING
    assert "waits for its broker" in world.status("far").reason
    world.workers.kill("near")
    world.pass_time(5)
    assert world.state("near") is InstanceState.RUNNING
    assert world.status("near").restarts == 1


def test_a_fault_in_a_start_is_told_and_tried_again(world: World) -> None:
    faults = [OSError("too many open files")]

    def fail_once(worker: FakeWorker) -> None:
        if faults:
            world.workers.kill("w1")
            raise faults.pop()

    world.workers.on_start = fail_once
    world.put("w1")
    world.pass_time(1)
    assert "instance.failed" in world.kinds("w1")
    world.pass_time(10)
    assert world.state("w1") is InstanceState.RUNNING


def test_a_fault_about_one_instance_costs_the_others_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(world, "w1", "w2")
    look, bad = world.workers.look, world.workers.of("w1").process

    def fail_for_first(process: Process) -> Look:
        if process == bad:
            raise OSError("no such thing")
        return look(process)

    monkeypatch.setattr(world.workers, "look", fail_for_first)
    world.workers.kill("w2")
    world.pass_time(5)
    assert world.status("w2").restarts == 1


def test_replaces_a_paused_worker(world: World) -> None:
    running(world, "w1")
    world.pass_time(15)
    world.workers.pause("w1")
    world.pass_time(60)
    assert world.state("w1") is InstanceState.RUNNING
    assert world.status("w1").restarts == 1


def test_adopts_what_runs_already_and_restarts_nothing(world: World) -> None:
    running(world, "w1", "w2")
    next_run = world.restarted()
    next_run.pass_time(10)
    try:
        assert next_run.state("w1") is InstanceState.RUNNING
        assert next_run.status("w1").restarts == 0
        assert len(world.workers.launches) == 2
    finally:
        next_run.close()


def test_stops_what_was_deleted_before_the_branch_fell(world: World) -> None:
    running(world, "w1")
    world.supervisor.stop(1)
    world.delete("w1")
    world.close()
    next_run = World(world.store, world.workers)
    try:
        next_run.pass_time(10)
        assert world.workers.alive() == []
        assert world.workers.discarded == ["w1"]
    finally:
        next_run.close()


def test_leaves_a_stranger_in_its_directory_alone_and_says_so(world: World) -> None:
    stranger = FakeWorkers(world.clock)
    stranger.start(Launch(instance="old", node="old@branch1", python="/p", options=()))
    world.close()
    next_run = World(workers=stranger)
    try:
        next_run.pass_time(5)
        assert stranger.alive() == ["old"]
        assert next_run.kinds("old") == ["instance.stray"]
    finally:
        next_run.close()


def test_waits_for_an_instance_to_run(world: World) -> None:
    world.put("w1")
    waiting = gevent.spawn(world.supervisor.wait_for, "w1", {InstanceState.RUNNING}, timeout_s=1000)
    world.pass_time(5)
    assert waiting.get(timeout=5).state is InstanceState.RUNNING


def test_a_wait_ends_with_its_time(world: World) -> None:
    world.workers.boot_s = 1000
    world.put("w1")
    waiting = gevent.spawn(world.supervisor.wait_for, "w1", {InstanceState.RUNNING}, timeout_s=3)
    world.pass_time(5)
    assert waiting.get(timeout=5).state is InstanceState.STARTING


def test_stops_all_workers_when_told_to(world: World) -> None:
    running(world, "w1", "w2")
    stopping = gevent.spawn(world.supervisor.stop_workers, 1000)
    gevent.sleep(0)
    world.pass_time(10)
    assert stopping.get(timeout=5) is True
    assert world.workers.alive() == []
    assert world.state("w1") is InstanceState.STOPPED


def test_a_long_pass_lets_timers_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        world.put(f"w{number}")
    decide_really = reconcile.decide

    def decide_slowly(*case: Any, **at: Any) -> Decision:
        ends = time.perf_counter() + 0.003
        while time.perf_counter() < ends:
            pass
        return decide_really(*case, **at)

    monkeypatch.setattr(reconcile, "decide", decide_slowly)
    monkeypatch.setattr(supervisor, "YIELD_EVERY", 2)
    world.supervisor.stop(1)  # its own passes would give turns as well
    turns = 0

    def count_turns() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0.001)
            turns += 1

    counting = gevent.spawn(count_turns)
    try:
        world.supervisor.pass_now()
    finally:
        counting.kill()
    assert turns >= 10


def test_makes_passes_by_itself_and_survives_a_fault_in_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = 0
    make_pass = Supervisor.pass_now

    def fail_first(supervisor: Supervisor) -> None:
        nonlocal passes
        passes += 1
        if passes == 1:
            raise ValueError("a bug")
        make_pass(supervisor)

    monkeypatch.setattr(Supervisor, "pass_now", fail_first)
    world.supervisor.nudge()
    eventually(lambda: passes >= 1)
    world.put("w1")
    eventually(lambda: world.workers.alive() == ["w1"])
    assert passes >= 2


def test_the_events_of_an_instance_tell_of_every_state_that_it_was_in(world: World) -> None:
    running(world, "w1")
    world.controls.down.add(BROKER.url)
    world.pass_time(10)
    world.controls.down.clear()
    world.pass_time(30)
    world.workers.kill("w1")
    world.pass_time(5)
    world.put("w1", is_enabled=False)
    world.pass_time(5)
    story = [event.data for event in world.journal.of_instance("w1") if "was" in event.data]
    assert [each["was"] for each in story] == ["pending", *(each["state"] for each in story[:-1])]
    assert [each["state"] for each in story] == [
        "starting",
        "running",
        "unknown",
        "running",
        "pending",
        "starting",
        "running",
        "stopping",
        "stopped",
    ]
