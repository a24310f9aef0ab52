"""Who runs an instance when branches die, pause, part, come back and move things about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cyme.core.branches import BranchState
from cyme.testing.simulation import Weather, World, split, supervisor
from tests.simulation.clusters import (
    PATIENT,
    formed,
    held,
    record,
    runs,
    seconds_until,
    transcript,
    with_instances,
)


def test_the_instance_of_a_dead_machine_runs_elsewhere_within_a_minute() -> None:
    world = with_instances(formed(5, policy=PATIENT), "b2")
    world.power_off("b2")
    took_s = seconds_until(world, most_s=60.0, so=lambda: len(runs(world, "w1")) == 1)
    assert took_s > 30.0, "a restart takes less than the grace"
    world.settle()
    assert record(world, "w1").epoch == 2


def test_the_home_takes_its_instance_back_when_it_returns_and_it_runs_all_the_while() -> None:
    world = with_instances(formed(4), "b2")
    world.power_off("b2")
    seconds_until(world, most_s=40.0, so=lambda: runs(world, "w1"))
    world.power_on("b2")
    for _ in range(400):
        world.run(0.05)
        assert runs(world, "w1"), "a hand-back passes through no moment without a worker"
        if record_of(world, "b2", "w1") == ("b2", 3) and runs(world, "w1") == ["b2"]:
            break
    world.settle()
    assert runs(world, "w1") == ["b2"]
    assert (record(world, "w1").owner, record(world, "w1").epoch) == ("b2", 3)


def test_workers_whose_branch_alone_dies_are_left_alone_and_adopted() -> None:
    world = with_instances(formed(4), "b2")
    (worker,) = world.broker.workers("w1")
    world.crash("b2")
    world.run(60.0)
    assert held(world, "b2") == {BranchState.FAILED}
    assert world.broker.workers("w1") == [worker]
    world.start("b2")
    world.settle()
    assert world.broker.workers("w1") == [worker]
    assert record(world, "w1").epoch == 1


def test_a_branch_that_is_back_within_the_grace_loses_nothing() -> None:
    world = with_instances(formed(4), "b2")
    world.power_off("b2")
    world.run(8.0)
    world.power_on("b2")
    world.settle()
    assert (record(world, "w1").owner, record(world, "w1").epoch) == ("b2", 1)


def test_a_home_that_kept_running_is_not_stopped_when_a_partition_heals() -> None:
    world = with_instances(formed(5), "b2")
    (worker,) = world.broker.workers("w1")
    cut_off(world, "b2")
    seconds_until(world, most_s=60.0, so=lambda: len(runs(world, "w1")) == 2)
    world.run(5.0)
    rejoin(world, "b2")
    world.settle()
    assert world.broker.workers("w1") == [worker]
    assert (record(world, "w1").owner, record(world, "w1").epoch) == ("b2", 3)


def test_a_branch_that_is_cut_off_from_the_gossip_alone_keeps_its_instance() -> None:
    world = with_instances(formed(5), "b2")
    cut_off(world, "b2", broker=False)
    world.run(60.0)
    assert runs(world, "w1") == ["b2"]
    rejoin(world, "b2")
    world.settle()
    assert record(world, "w1").epoch == 1


def test_a_machine_that_wakes_after_two_minutes_does_nothing_by_its_old_epoch() -> None:
    told, lines = transcript()
    world = with_instances(formed(4, transcript=told), "b2")
    (worker,) = world.broker.workers("w1")
    world.pause("b2", machine=True)
    world.run(120.0)
    assert record_of(world, "b1", "w1")[1] == 2
    lines.clear()
    world.resume("b2")
    world.settle()
    deeds = [line.split(None, 2)[2] for line in lines if line.split()[1] == "b2"]
    assert deeds[0] == "goes on"
    acts = next(index for index, deed in enumerate(deeds) if deed.startswith("branch.acts"))
    assert not [deed for deed in deeds[:acts] if deed.startswith(("starts", "stops", "writes"))]
    # Its worker ran all the time and is the one that stays.
    assert world.broker.workers("w1") == [worker]
    assert (record(world, "w1").owner, record(world, "w1").epoch) == ("b2", 3)


def test_nothing_is_claimed_while_the_broker_is_away() -> None:
    world = with_instances(formed(3), "b2")
    world.broker.up = False
    world.power_off("b2")
    world.run(60.0)
    assert runs(world, "w1") == []
    assert record(world, "w1").epoch == 1
    world.broker.up = True
    world.disturb()
    seconds_until(world, most_s=30.0, so=lambda: runs(world, "w1"))


def test_nothing_is_claimed_where_take_over_is_off() -> None:
    world = with_instances(formed(3, policy=replace(PATIENT, takeover_s=None)), "b2")
    world.power_off("b2")
    world.run(120.0)
    assert runs(world, "w1") == []
    assert record(world, "w1").owner == "b2"


def test_a_pinned_instance_is_not_claimed() -> None:
    world = with_instances(formed(3))
    world.lives()[0].service.ask("w9-pinned", "create", "b2")
    world.run(8.0)
    world.power_off("b2")
    world.run(90.0)
    assert runs(world, "w9-pinned") == []
    world.power_on("b2")
    world.settle()
    assert runs(world, "w9-pinned") == ["b2"]


def test_a_machine_that_lacks_what_a_worker_needs_leaves_it_to_another() -> None:
    world = with_instances(formed(3), "b2")
    world.machines["b1"].capable = False
    world.power_off("b2")
    seconds_until(world, most_s=60.0, so=lambda: runs(world, "w1") == ["b3"])


def test_the_instances_of_a_branch_that_left_are_given_longer() -> None:
    world = with_instances(formed(3), "b2")
    world.leave("b2")
    world.run(3.0)
    for worker in world.broker.workers("w1"):
        world.broker.end(worker)
    world.run(world.policy.leave_s - 4.0)
    assert runs(world, "w1") == []
    seconds_until(world, most_s=30.0, so=lambda: runs(world, "w1"))


def test_a_drained_branch_hands_its_instances_over_and_is_given_none_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "_STILLBORN", 0.0)  # nobody tries a move again by itself
    world = with_instances(formed(3), "b2", "b2")
    world.drain("b2", drained=True)
    for _ in range(600):
        world.run(0.05)
        assert runs(world, "w1")
        assert runs(world, "w2")
    assert runs(world, "w1") != ["b2"]
    assert runs(world, "w2") != ["b2"]
    world.settle()


def test_a_move_starts_the_new_worker_before_it_stops_the_old_one() -> None:
    world = with_instances(formed(3), "b2")
    world.lives()[0].service.ask("w1", "move", "b3")
    for _ in range(400):
        world.run(0.05)
        assert runs(world, "w1")
    assert runs(world, "w1") == ["b3"]
    world.settle()
    assert (record(world, "w1").owner, record(world, "w1").epoch) == ("b3", 2)


def test_a_branch_whose_disk_refuses_claims_nothing_that_it_could_not_write() -> None:
    world = with_instances(formed(3), "b2")
    world.machines["b1"].disk.full = True
    world.machines["b3"].disk.full = True
    world.power_off("b2")
    world.run(60.0)
    assert runs(world, "w1") == []
    world.heal()
    world.return_all()
    world.settle()


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("beacon", [False, True])
def test_a_second_branch_of_one_id_refuses_to_run_and_names_both(empty: bool, beacon: bool) -> None:
    world = with_instances(formed(3, beacon=beacon), "b2")
    twin = world.clone("b2", empty=empty)
    world.run(5.0)
    reason = world.machines[twin].retired
    assert reason is not None
    assert f"tcp://{twin}:" in reason
    assert "tcp://b2:" in reason
    world.settle()
    assert runs(world, "w1") == ["b2"]


@pytest.mark.parametrize("seed", range(6))
def test_of_two_living_branches_of_one_id_that_meet_exactly_one_stays(seed: int) -> None:
    world = with_instances(formed(4, seed=seed), "b2")
    wall = split(["b1", "b2"], ["b3", "b4", "b2-copy"])
    world.network.walls.append(wall)
    twin = world.clone("b2")
    world.network.walls[0] = split(["b1", "b2"], ["b3", "b4", twin])
    world.run(40.0)
    assert len([life for life in world.lives() if life.machine.branch == "b2"]) == 2
    world.network.walls.clear()
    world.settle()
    assert len([life for life in world.lives() if life.machine.branch == "b2"]) == 1


def test_what_was_deleted_behind_a_wall_does_not_return() -> None:
    world = with_instances(formed(4), "b2")
    world.network.walls.append(split(["b1", "b2"], ["b3", "b4"]))
    world.run(20.0)
    world.machines["b1"].life.service.declare(("app", "a1"), "put")  # type: ignore[union-attr]
    world.machines["b1"].life.service.ask("w1", "delete")  # type: ignore[union-attr]
    world.machines["b4"].life.service.ask("w1", "change")  # type: ignore[union-attr]
    world.run(20.0)
    world.heal()
    world.settle()
    assert record(world, "w1").deleted
    assert runs(world, "w1") == []


def test_a_cluster_that_was_down_as_a_whole_finds_itself_again() -> None:
    world = with_instances(formed(4, beacon=False), "b2", "b3")
    for name in world.machines:
        world.power_off(name)
    world.run(60.0)
    for number, name in enumerate(world.machines):
        world.timeline.after(5.0 * number, world.power_on, name)
    world.run(20.0)
    world.settle()
    assert runs(world, "w1") == ["b2"]
    assert runs(world, "w2") == ["b3"]


def test_calls_have_one_effect_and_one_end_in_a_storm() -> None:
    world = formed(4, weather=Weather(loss=0.1, echo=0.3, latency_s=(0.001, 0.5)))
    for number in range(100):
        life = world.lives()[number % 4]
        life.service.call(f"b{(number + 1) % 4 + 1}", "count", {})
        world.run(0.3)
    world.run(15.0)
    assert world.watch.figures.calls == 100
    assert world.watch.figures.effects > 80


def record_of(world: World, machine: str, instance: str) -> tuple[str, int]:
    found = world.machines[machine].disk.instance(instance)
    assert found is not None
    return found.owner, found.epoch


def cut_off(world: World, name: str, *, broker: bool = True) -> None:
    world.disturb()
    world.network.walls.append(split([name], [other for other in world.machines if other != name]))
    if broker:
        world.broker.cut_off.add(name)


def rejoin(world: World, name: str) -> None:
    world.disturb()
    world.network.walls.clear()
    world.broker.cut_off.discard(name)


@pytest.mark.parametrize("seed", range(8))
def test_an_examination_that_ends_after_a_stall_is_not_acted_on(seed: int) -> None:
    told, lines = transcript()
    world = with_instances(formed(3, seed=seed, transcript=told), "b2")
    world.network.walls.append(split(["b1", "b2"], ["b3"]))
    world.power_off("b2")
    claims = world.lives()[0].node._ownership._claims
    seconds_until(world, most_s=60.0, so=lambda: claims.under_way, step_s=0.01)
    world.pause("b1")
    world.run(60.0)
    lines.clear()
    world.resume("b1")
    world.run(0.0)
    assert any("finds w1" in line for line in lines)
    assert not any("writes w1" in line for line in lines)
