"""What moves away is stopped warmly, and what is about to be ours again runs on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cyme.core.model import BranchId
from cyme.core.status import InstanceState
from tests.runtime.world import BRANCH, OTHER, OTHER_BROKER, World, prepared, running


@pytest.mark.parametrize("home", [BRANCH, OTHER])
def test_what_moves_away_is_stopped_warmly_exactly_once(world: World, home: BranchId) -> None:
    running(world, "w1")
    world.hand_to("w1", OTHER, home=home)
    world.pass_time(30)
    assert world.workers.signalled == [("w1", "TERM")]
    assert world.workers.discarded == ["w1"]
    assert world.kinds("w1").count("instance.moved-away") == 1
    moved = next(said for said in world.said_of("w1") if said.startswith("instance.moved-away"))
    assert "'branch2'" in moved


def test_what_moves_away_may_finish_its_tasks(world: World) -> None:
    running(world, "w1")
    worker = world.workers.of("w1")
    worker.ignores.add("TERM")
    world.hand_to("w1", OTHER)
    world.pass_time(15)
    assert worker.signals == ["TERM"]
    assert world.workers.discarded == []


def test_what_moves_away_and_did_not_run_is_forgotten(world: World) -> None:
    world.put("w1", is_enabled=False)
    world.pass_time(2)
    world.hand_to("w1", OTHER)
    world.pass_time(2)
    assert world.workers.discarded == ["w1"]
    assert "instance.moved-away" in world.kinds("w1")


def test_one_can_wait_until_nothing_of_what_moved_away_is_left(world: World) -> None:
    running(world, "w1")
    assert not world.supervisor.wait_gone("w1", 0)
    world.hand_to("w1", OTHER)
    world.pass_time(5)
    assert world.supervisor.wait_gone("w1", 0)


def test_what_comes_back_while_it_stops_runs_again(world: World) -> None:
    running(world, "w1")
    world.workers.of("w1").ignores.add("TERM")
    world.hand_to("w1", OTHER)
    world.pass_time(1)
    world.hand_to("w1", BRANCH)
    world.pass_time(60)
    assert world.state("w1") is InstanceState.RUNNING
    assert world.workers.discarded == []


def test_what_is_about_to_be_ours_again_runs_on_untouched(world: World) -> None:
    running(world, "w1")
    world.kept.add("w1")
    world.hand_to("w1", OTHER)
    record = world.record("w1")
    stamp = record.stamp.next(1, OTHER)
    world.arrive(replace(record, spec=replace(record.spec, pool="gevent"), stamp=stamp))
    world.workers.of("w1").queues.clear()
    world.pass_time(300)
    assert world.workers.signalled == []
    assert world.controls.calls_of("add_consumer") == []
    assert world.supervisor.guests() == ["w1"]


def test_what_is_about_to_be_ours_again_is_not_restarted(world: World) -> None:
    running(world, "w1")
    world.kept.add("w1")
    world.hand_to("w1", OTHER)
    world.workers.kill("w1")
    world.pass_time(30)
    assert len(world.workers.launches) == 1
    assert world.workers.discarded == []


def test_what_is_kept_is_asked_on_the_broker_that_it_was_started_with(world: World) -> None:
    running(world, "w1")
    world.kept.add("w1")
    world.hand_to("w1", OTHER)
    record = world.record("w1")
    spec = replace(record.spec, broker=OTHER_BROKER)
    world.arrive(replace(record, spec=spec, stamp=record.stamp.next(1, OTHER)))
    world.controls.down.add(OTHER_BROKER.url)
    world.pass_time(20)
    assert world.state("w1") is InstanceState.RUNNING


def test_what_was_kept_and_becomes_ours_was_never_restarted(world: World) -> None:
    running(world, "w1")
    world.kept.add("w1")
    world.hand_to("w1", OTHER)
    world.pass_time(10)
    world.hand_to("w1", BRANCH)
    world.kept.clear()
    world.pass_time(10)
    assert world.workers.signalled == []
    assert world.status("w1").restarts == 0
    assert world.supervisor.guests() == []


def test_what_was_kept_is_prepared_at_once(world: World) -> None:
    running(world, "w1")
    world.kept.add("w1")
    world.hand_to("w1", OTHER)
    world.pass_time(2)
    world.supervisor.prepare(world.record("w1"))
    world.pass_time(0.5)
    assert [running for _, running, _ in world.prepared] == [True]
    assert world.workers.signalled == []


def test_what_is_kept_no_more_is_stopped(world: World) -> None:
    running(world, "w1")
    world.kept.add("w1")
    world.hand_to("w1", OTHER)
    world.pass_time(10)
    world.kept.clear()
    world.supervisor.reconsider("w1")
    world.pass_time(1)
    assert world.workers.signalled == [("w1", "TERM")]


def test_stopping_all_workers_stops_guests_and_what_is_kept_too(world: World) -> None:
    running(world, "w1")
    world.kept.add("w1")
    world.hand_to("w1", OTHER)
    prepared(world, "w2")
    world.supervisor.stop_workers(0)
    world.pass_time(10)
    assert world.workers.alive() == []
