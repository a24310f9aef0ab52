"""A branch that comes back leaves its workers alone until it is settled whose they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cyme.core.model import BranchId
from cyme.core.status import InstanceState
from cyme.runtime.guests import UNDECIDED_S
from tests.runtime.world import APP, BRANCH, OTHER, World, running

THIRD = BranchId("branch3")


@pytest.fixture
def back() -> Iterator[World]:
    """A branch that was restarted, and may not act yet; ``w1`` runs on from before."""
    first = World()
    running(first, "w1")
    world = first.restarted(may_act=False)
    yield world
    world.close()


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
