"""Simulated clusters that have come together, and what tests ask of them."""

from __future__ import annotations

from typing import Any

from cyme.core.branches import BranchState
from cyme.core.cluster.ownership import OwnershipPolicy
from cyme.core.model import Instance
from cyme.testing.simulation import Transcript, Weather, World
from cyme.testing.simulation.quiescence import (
    Rule,
    everybody_acts,
    members_are_what_they_are,
    views_are_equal,
)
from cyme.testing.simulation.workers import Phase

SEED = 20
APP = ("app", "shop")

#: What real branches do.
PATIENT = OwnershipPolicy()

TOGETHER: tuple[Rule, ...] = (everybody_acts, views_are_equal, members_are_what_they_are)


def formed(branches: int, *, seed: int = SEED, **given: Any) -> World:
    """Return a cluster that has come together; a failure tells its latest lines."""
    world = World(seed, branches, weather=given.pop("weather", Weather(ordered=True)), **given)
    world.start_all()
    world.settle(60.0, TOGETHER, stays_s=1.0)
    return world


def with_instances(world: World, *owners: str) -> World:
    """Return the cluster with an instance ``w1``, ``w2`` ... on each of these branches."""
    world.lives()[0].service.declare(APP, "put")
    world.run(1.0)
    for number, owner in enumerate(owners, 1):
        world.lives()[0].service.ask(f"w{number}", "create", owner)
    world.run(8.0)
    for number, owner in enumerate(owners, 1):
        assert runs(world, f"w{number}") == [owner]
    return world


def runs(world: World, instance: str) -> list[str]:
    """Return the machines that run a worker of an instance."""
    return [w.machine for w in world.broker.workers(instance) if w.phase is Phase.RUNNING]


def record(world: World, instance: str) -> Instance:
    """Return the record of an instance, which must be the same on all."""
    records = {life.machine.disk.instance(instance) for life in world.lives()}
    assert len(records) == 1
    found = records.pop()
    assert found is not None
    return found


def held(world: World, branch: str) -> set[BranchState | None]:
    """Return what the others hold a branch to be."""
    return {life.node.state(branch) for life in world.lives() if life.machine.branch != branch}


def seconds_until(world: World, *, most_s: float, so: Any, step_s: float = 0.1) -> float:
    """Return how long it takes until something is so."""
    began = world.timeline.now
    while not so():
        assert world.timeline.now < began + most_s, f"not within {most_s} s, seed {SEED}"
        world.run(step_s)
    return world.timeline.now - began


def transcript() -> tuple[Transcript, list[str]]:
    """Return a transcript and the lines that it will have."""
    lines: list[str] = []
    return Transcript(lines.append), lines
