"""Workers that run here before the records say so."""

from __future__ import annotations

from dataclasses import replace

import gevent
import pytest

from cyme.core.status import InstanceState
from tests.runtime.world import APP, BRANCH, BROKER, OTHER, World, prepared
from tests.waiting import eventually


def test_runs_the_worker_of_an_instance_that_another_branch_owns(world: World) -> None:
    prepared(world)
    assert world.prepared == [("w1", True, "it answers")]
    assert world.workers.of("w1").launch.node == f"w1@{BRANCH}"
    assert world.supervisor.guests() == ["w1"]


def test_runs_nothing_that_it_was_not_asked_to(world: World) -> None:
    world.foreign("w1")
    world.pass_time(10)
    assert world.workers.launches == []
    assert world.supervisor.guests() == []


def test_says_that_a_worker_runs_once_it_answers_and_not_before(world: World) -> None:
    world.workers.boot_s = 10
    prepared(world)
    assert world.prepared == []
    world.pass_time(10)
    assert [running for _, running, _ in world.prepared] == [True]


def test_a_guest_whose_record_becomes_ours_goes_on_without_a_restart(world: World) -> None:
    prepared(world)
    world.hand_to("w1", BRANCH)
    world.pass_time(20)
    assert world.state("w1") is InstanceState.RUNNING
    assert world.status("w1").restarts == 0
    assert world.workers.signalled == []
    assert world.supervisor.guests() == []
    assert len(world.workers.launches) == 1
    assert len(world.prepared) == 1


def test_what_became_of_a_preparation_is_said_once(world: World) -> None:
    prepared(world)
    world.workers.kill("w1")
    world.pass_time(60)
    assert world.state("w1") is InstanceState.RUNNING
    assert len(world.prepared) == 1


def test_a_guest_follows_the_changes_of_its_record(world: World) -> None:
    prepared(world)
    record = world.record("w1")
    spec = replace(record.spec, max_concurrency=5)
    stamp = record.stamp.next(1, OTHER)
    world.arrive(replace(record, spec=spec, stamp=stamp, version=2))
    world.pass_time(2)
    assert world.workers.of("w1").limits == (1, 5)


def test_an_abandoned_guest_is_stopped_warmly_and_forgotten(world: World) -> None:
    prepared(world)
    world.supervisor.abandon("w1")
    world.pass_time(5)
    assert world.workers.signalled == [("w1", "TERM")]
    assert world.workers.discarded == ["w1"]
    assert world.supervisor.guests() == []
    assert "branch2" in str(world.said_of("w1")[-1])
    assert "instance.moved-away" not in world.kinds("w1")


def test_abandoning_what_is_ours_by_now_does_nothing(world: World) -> None:
    prepared(world)
    world.hand_to("w1", BRANCH)
    world.supervisor.abandon("w1")
    world.pass_time(5)
    assert world.workers.signalled == []
    assert world.state("w1") is InstanceState.RUNNING


def test_abandoning_what_is_not_here_does_nothing(world: World) -> None:
    world.supervisor.abandon("nobody")
    world.pass_time(2)
    assert world.workers.discarded == []


def test_a_guest_that_is_prepared_again_while_it_stops_is_started_again(world: World) -> None:
    prepared(world)
    world.workers.of("w1").ignores.add("TERM")
    world.supervisor.abandon("w1")
    world.pass_time(1)
    world.supervisor.prepare(world.record("w1"))
    world.pass_time(60)
    assert world.state("w1") is InstanceState.RUNNING
    assert [running for _, running, _ in world.prepared] == [True, True]


def test_an_instance_that_is_not_enabled_has_nothing_to_run(world: World) -> None:
    world.supervisor.prepare(world.foreign("w1", is_enabled=False))
    world.pass_time(1)
    assert world.prepared == [("w1", True, "there is nothing to run: it is not enabled")]
    assert world.workers.launches == []


def test_says_that_a_worker_cannot_run_when_it_fails_a_second_time(world: World) -> None:
    world.workers.refuses["w1"] = "there is no /opt/python on this machine"
    world.supervisor.prepare(world.foreign("w1"))
    world.pass_time(3)
    ((name, is_running, why),) = world.prepared
    assert (name, is_running) == ("w1", False)
    assert "/opt/python" in why
    assert len(world.workers.launches) == 2


def test_a_first_failure_is_mended_at_once(world: World) -> None:
    def fail_once(_: object) -> None:
        world.workers.on_start = None
        world.workers.kill("w1", exit_status=1)

    world.workers.on_start = fail_once
    prepared(world)
    assert [running for _, running, _ in world.prepared] == [True]


def test_what_could_not_run_is_tried_anew_when_it_is_prepared_again(world: World) -> None:
    world.workers.refuses["w1"] = "no"
    prepared(world)
    world.pass_time(60)
    assert world.state("w1") is InstanceState.DISABLED
    world.workers.refuses.clear()
    world.supervisor.prepare(world.record("w1"))
    world.pass_time(3)
    assert [running for _, running, _ in world.prepared] == [False, True]


def test_an_earlier_failure_is_not_taken_for_what_a_new_preparation_came_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(world)
    world.workers.on_start = lambda _: world.workers.kill("w1", exit_status=1)
    world.workers.kill("w1")
    monkeypatch.setattr(world.workers, "sweep", lambda _: gevent.sleep(0.02) or 0)

    def backs_off() -> bool:
        world.pass_time(0.5)
        return world.state("w1") is InstanceState.BACKOFF

    eventually(backs_off)
    world.supervisor.prepare(world.record("w1"))
    world.supervisor.pass_now()
    assert len(world.prepared) == 1


def test_says_that_an_instance_was_deleted(world: World) -> None:
    record = world.foreign("w1")
    world.arrive(replace(record, deleted=True, version=2))
    world.supervisor.prepare(record)
    world.pass_time(1)
    assert world.prepared == [("w1", False, "it was deleted")]
    assert world.workers.launches == []


def test_a_guest_that_is_deleted_is_stopped(world: World) -> None:
    prepared(world)
    world.arrive(replace(world.record("w1"), deleted=True, version=2))
    world.pass_time(5)
    assert world.workers.alive() == []
    assert world.workers.discarded == ["w1"]
    assert len(world.prepared) == 1


def test_says_that_an_app_is_not_known(world: World) -> None:
    record = world.foreign("w1")
    stamp = APP.stamp.next(1, OTHER)
    world.arrive(replace(APP, deleted=True, stamp=stamp))
    world.supervisor.prepare(record)
    world.pass_time(1)
    assert world.prepared == [("w1", False, "its app 'foo' is not known here")]
    assert world.workers.launches == []


def test_says_that_a_record_is_not_known(world: World) -> None:
    record = replace(world.foreign("w1"), name="w2")  # type: ignore[arg-type]
    world.supervisor.prepare(record)
    world.pass_time(1)
    assert world.prepared == [("w2", False, "its record is not known here")]


def test_says_why_a_record_cannot_be_run(world: World) -> None:
    prepared(world, arguments="--no-such-option")
    ((_, is_running, why),) = world.prepared
    assert not is_running
    assert "--no-such-option" in why


def test_a_broker_that_is_away_is_waited_for(world: World) -> None:
    world.controls.down.add(BROKER.url)
    prepared(world)
    assert world.prepared == []
    world.controls.down.clear()
    world.pass_time(20)
    assert [running for _, running, _ in world.prepared] == [True]


def test_a_guest_is_not_started_while_the_branch_may_not_act(world: World) -> None:
    world.may_act = False
    prepared(world)
    assert world.workers.launches == []
    world.may_act = True
    world.pass_time(5)
    assert [running for _, running, _ in world.prepared] == [True]


def test_a_guest_becomes_ours_before_it_answered(world: World) -> None:
    world.workers.boot_s = 5
    prepared(world, "w1")
    world.hand_to("w1", BRANCH)
    world.pass_time(10)
    assert world.state("w1") is InstanceState.RUNNING
    assert world.status("w1").restarts == 0


def test_a_guest_that_became_ours_can_be_lost_like_any_other(world: World) -> None:
    prepared(world)
    world.hand_to("w1", BRANCH)
    world.pass_time(2)
    world.hand_to("w1", OTHER)
    world.pass_time(2)
    assert world.workers.signalled == [("w1", "TERM")]
