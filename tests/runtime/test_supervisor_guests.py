"""Workers that run here before the records say so, and those that run on after they were lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import gevent
import pytest

from cyme.core.model import BranchId
from cyme.core.status import InstanceState
from cyme.runtime.guests import UNDECIDED_S
from tests.runtime.world import APP, BRANCH, BROKER, OTHER, OTHER_BROKER, World
from tests.waiting import eventually

THIRD = BranchId("branch3")


@pytest.fixture
def back() -> Iterator[World]:
    """A branch that was restarted, and may not act yet; ``w1`` runs on from before."""
    first = World()
    running(first, "w1")
    world = first.restarted(may_act=False)
    yield world
    world.close()


def running(world: World, *names: str) -> None:
    for name in names:
        world.put(name)
    world.pass_time(10)
    for name in names:
        assert world.state(name) is InstanceState.RUNNING, world.status(name)


def prepared(world: World, name: str = "w1", **spec: object) -> None:
    world.supervisor.prepare(world.foreign(name, **spec))
    world.pass_time(5)


# --- prepare -------------------------------------------------------------------------------------


def test_runs_the_worker_of_an_instance_that_another_branch_owns(world: World) -> None:
    prepared(world)
    assert world.prepared == [("w1", True, "it answers")]
    assert world.workers.of("w1").launch.node == f"w1@{BRANCH}"
    assert world.supervisor.guests() == ["w1"]
    assert world.supervisor.running_here("w1")


def test_runs_nothing_that_it_was_not_asked_to(world: World) -> None:
    world.foreign("w1")
    world.pass_time(10)
    assert world.workers.launches == []
    assert world.supervisor.guests() == []
    assert not world.supervisor.running_here("w1")


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


# --- what is lost --------------------------------------------------------------------------------


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
    assert not world.supervisor.running_here("w1")


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


# --- after a restart -----------------------------------------------------------------------------


def test_a_home_that_comes_back_leaves_its_worker_running_until_it_is_settled(
    back: World,
) -> None:
    back.hand_to("w1", OTHER)
    back.may_act = True
    back.pass_time(UNDECIDED_S - 5)
    assert back.workers.signalled == []
    assert back.supervisor.guests() == ["w1"]
    assert back.state("w1") is InstanceState.RUNNING


def test_the_worker_of_a_home_that_comes_back_is_prepared_without_a_restart(back: World) -> None:
    back.hand_to("w1", OTHER)
    back.pass_time(5)
    back.may_act = True
    back.supervisor.prepare(back.record("w1"))
    back.pass_time(1)
    assert [running for _, running, _ in back.prepared] == [True]
    back.hand_to("w1", BRANCH)
    back.pass_time(10)
    assert back.workers.signalled == []
    assert len(back.workers.launches) == 1
    assert back.status("w1").restarts == 0


def test_a_loss_that_is_learnt_after_the_fence_makes_no_difference(back: World) -> None:
    back.may_act = True
    back.pass_time(20)
    back.hand_to("w1", OTHER)
    back.pass_time(20)
    assert back.workers.signalled == []
    assert back.supervisor.guests() == ["w1"]


def test_a_home_that_stood_still_leaves_its_worker_running_too(world: World) -> None:
    running(world, "w1")
    world.may_act = False
    world.pass_time(2)
    world.hand_to("w1", OTHER)
    world.pass_time(2)
    world.may_act = True
    world.pass_time(20)
    assert world.workers.signalled == []


def test_a_worker_that_was_started_since_then_is_not_held(back: World) -> None:
    back.may_act = True
    back.workers.kill("w1")
    back.pass_time(10)
    back.hand_to("w1", OTHER)
    back.pass_time(5)
    assert back.workers.signalled == [("w1", "TERM")]


def test_what_nobody_settles_is_stopped_in_the_end(back: World) -> None:
    back.hand_to("w1", OTHER)
    back.may_act = True
    back.pass_time(UNDECIDED_S + 5)
    assert back.workers.signalled == [("w1", "TERM")]
    assert "instance.moved-away" in back.kinds("w1")


def test_the_time_to_settle_begins_when_the_branch_may_act(back: World) -> None:
    back.hand_to("w1", OTHER)
    back.pass_time(UNDECIDED_S * 2)
    back.may_act = True
    back.pass_time(UNDECIDED_S - 5)
    assert back.workers.signalled == []


def test_the_time_to_settle_begins_anew_after_a_stall(back: World) -> None:
    back.hand_to("w1", OTHER)
    back.may_act = True
    back.pass_time(UNDECIDED_S - 5)
    back.may_act = False
    back.pass_time(1)
    back.may_act = True
    back.pass_time(UNDECIDED_S - 5)
    assert back.workers.signalled == []


def test_the_time_to_settle_begins_anew_with_every_loss(back: World) -> None:
    back.may_act = True
    for _ in range(2):
        back.hand_to("w1", OTHER)
        back.pass_time(UNDECIDED_S - 5)
        back.hand_to("w1", BRANCH)
        back.pass_time(1)
    assert back.workers.signalled == []


def test_an_adopted_worker_runs_only_once_it_answers(back: World) -> None:
    back.workers.of("w1").answers = False
    back.hand_to("w1", OTHER)
    back.may_act = True
    back.supervisor.prepare(back.record("w1"))
    back.pass_time(2)
    assert back.prepared == []
    back.workers.of("w1").answers = True
    back.pass_time(2)
    assert [running for _, running, _ in back.prepared] == [True]


def test_what_is_settled_against_the_home_is_stopped(back: World) -> None:
    back.hand_to("w1", OTHER)
    back.may_act = True
    back.pass_time(5)
    back.supervisor.abandon("w1")
    back.pass_time(5)
    assert back.workers.signalled == [("w1", "TERM")]


def test_a_held_worker_that_dies_is_not_restarted(back: World) -> None:
    back.hand_to("w1", OTHER)
    back.may_act = True
    back.pass_time(5)
    back.workers.kill("w1")
    back.pass_time(10)
    assert len(back.workers.launches) == 1
    assert back.supervisor.guests() == []


@pytest.mark.parametrize("owner", [OTHER, THIRD])
def test_what_was_moved_away_meanwhile_is_stopped_when_that_may_be(
    back: World, owner: BranchId
) -> None:
    back.hand_to("w1", owner, home=OTHER)
    back.pass_time(100)
    assert back.workers.signalled == []
    assert back.kinds("w1") == ["instance.adopted", "instance.answers"]
    back.may_act = True
    back.pass_time(5)
    assert back.workers.signalled == [("w1", "TERM")]
    assert back.workers.discarded == ["w1"]


def test_a_worker_is_found_though_the_record_was_another_s_before_the_restart() -> None:
    first = World()
    running(first, "w1")
    first.supervisor.stop(1)
    first.hand_to("w1", OTHER)
    world = first.restarted(may_act=False)
    try:
        world.pass_time(10)
        assert world.supervisor.guests() == ["w1"]
        assert world.status("w1").pids == (10_001,)
        world.may_act = True
        world.supervisor.prepare(world.record("w1"))
        world.pass_time(1)
        assert [running for _, running, _ in world.prepared] == [True]
        assert world.workers.signalled == []
    finally:
        world.close()


def test_what_was_deleted_before_the_restart_is_stopped_only_when_that_may_be() -> None:
    first = World()
    running(first, "w1")
    first.supervisor.stop(1)
    first.delete("w1")
    world = first.restarted(may_act=False)
    try:
        world.pass_time(30)
        assert world.workers.alive() == ["w1"]
        assert world.workers.swept == ["w1"]  # before its start
        world.may_act = True
        world.pass_time(5)
        assert world.workers.alive() == []
    finally:
        world.close()


def test_a_stranger_is_adopted_when_its_record_comes() -> None:
    first = World()
    running(first, "w1")
    record = first.record("w1")
    first.close()
    world = World(workers=first.workers, clock=first.clock)
    try:
        world.pass_time(2)
        assert world.kinds("w1") == ["instance.stray"]
        world.arrive(APP, record)
        world.pass_time(5)
        assert world.state("w1") is InstanceState.RUNNING
        assert len(world.workers.launches) == 1
    finally:
        world.close()
