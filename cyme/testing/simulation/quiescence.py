"""What must hold once faults have stopped for long enough.

Each rule returns what does not hold (yet), in words; nothing if it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from cyme.core.branches import BranchState
from cyme.core.cluster.items import key_of
from cyme.core.model import Instance, Record
from cyme.testing.simulation.workers import Phase

if TYPE_CHECKING:
    from cyme.testing.simulation.life import Machine
    from cyme.testing.simulation.world import World

Rule = Callable[["World"], Iterator[str]]

#: What a branch that is not there is held to be.
_GONE = (None, BranchState.FAILED, BranchState.LEFT)


def everybody_acts(world: World) -> Iterator[str]:
    """Whoever is there has joined and is not fenced."""
    for life in world.lives():
        if not life.node.joined:
            yield f"{life.name} has not joined"
        elif life.node.fenced:
            yield f"{life.name} is fenced"


def views_are_equal(world: World) -> Iterator[str]:
    """All know the same."""
    lives = world.lives()
    digests = {life.node.digest for life in lives}
    if len(digests) > 1:
        told = ", ".join(f"{life.name} {life.node.digest:016x}" for life in lives[:10])
        yield f"views differ: {told}"
    for life in lives[1:]:
        if life.machine.disk.records != lives[0].machine.disk.records:
            yield from _differences(lives[0].machine, life.machine)


def members_are_what_they_are(world: World) -> Iterator[str]:
    """Who is there is held to be alive, and nobody else is."""
    lives = world.lives()
    there = {life.machine.branch for life in lives}
    away = {machine.branch for machine in world.machines.values()} - there
    for life in lives:
        for branch in sorted(there):
            if (state := life.node.state(branch)) is not BranchState.ALIVE:
                yield f"{life.name} holds {branch} to be {state}, which is alive"
        for branch in sorted(away):
            if (state := life.node.state(branch)) not in _GONE:
                yield f"{life.name} holds {branch} to be {state}, which is gone"


def workers_are_where_they_belong(world: World) -> Iterator[str]:
    """Every enabled instance has one worker, at its owner; every other has none."""
    for instance in _instances(world):
        owner = world.machine_of(instance.owner)
        workers = [
            worker
            for worker in world.broker.workers(instance.name)
            # Nobody stops a worker whose branch does not return.
            if world.is_looked_after(worker) or (owner is not None and worker.machine == owner.name)
        ]
        told = ", ".join(f"{w.phase} on {w.machine}" for w in workers) or "none"
        if instance.deleted or instance.spec.is_enabled is False:
            if any(map(world.is_looked_after, workers)):
                yield f"{instance.name} is to have no worker, and has: {told}"
            continue
        runs_there = owner is not None and [w.machine for w in workers] == [owner.name]
        if runs_there and workers[0].phase is Phase.RUNNING:
            continue
        if owner is not None and owner.life is not None:
            yield f"{instance.name} of {instance.owner} is to have one worker, and has: {told}"
        elif workers or _could_be_taken(world, instance):
            yield f"{instance.name} of {instance.owner}, which is gone, has workers: {told}"


def homes_have_what_is_theirs(world: World) -> Iterator[str]:
    """Whoever is there and takes instances owns those whose home it is."""
    for instance in _instances(world):
        home = world.machine_of(instance.home)
        if instance.deleted or home is None or home.life is None or instance.owner == instance.home:
            continue
        full = home.disk.count_owned(home.branch) >= home.instances_max
        if home.capable and not home.drained and not full:
            yield f"{instance.name} is with {instance.owner}, and its home {instance.home} is there"


def acknowledged_writes_survive(world: World) -> Iterator[str]:
    """What clients were told to be written is known, or something later is."""
    lives = world.lives()
    there = {life.name for life in lives}
    for written in world.watch.acknowledged:
        record = written.record
        if written.machine not in there:
            continue  # it may have gone before it could tell anybody
        for life in lives:
            found = life.machine.disk.records.get(key_of(record))
            if found is None or _content_order(found) < _content_order(record):
                yield f"{life.name} has {found} although {record} was acknowledged"
                break


RULES: Sequence[Rule] = (
    everybody_acts,
    views_are_equal,
    members_are_what_they_are,
    workers_are_where_they_belong,
    homes_have_what_is_theirs,
    acknowledged_writes_survive,
)


def unrest(world: World, rules: Sequence[Rule] = RULES) -> list[str]:
    """Return what does not hold (yet), at most ten of it, with the rules that demand it."""
    found: list[str] = []
    for rule in rules:
        for what in rule(world):
            found.append(f"{rule.__name__.replace('_', ' ')}: {what}")
            if len(found) >= 10:  # noqa: PLR2004 - as the docstring says
                return found
    return found


def _instances(world: World) -> list[Instance]:
    """Return the instances as the first branch that is there has them."""
    lives = world.lives()
    if not lives:
        return []
    records = lives[0].machine.disk.records.values()
    return [record for record in records if isinstance(record, Instance)]


def _could_be_taken(world: World, instance: Instance) -> bool:
    """Tell whether somebody could run the instance of a branch that is gone."""
    if instance.pinned or world.policy.takeover_s is None:
        return False
    return any(
        life.machine.capable
        and not life.machine.drained
        and life.machine.disk.count_owned(life.machine.branch) < life.machine.instances_max
        for life in world.lives()
    )


def _differences(one: Machine, other: Machine) -> Iterator[str]:
    for key in sorted(one.disk.records.keys() | other.disk.records.keys()):
        mine, theirs = one.disk.records.get(key), other.disk.records.get(key)
        if mine != theirs:
            yield f"{'/'.join(key)} is {mine} on {one.name} and {theirs} on {other.name}"


def _content_order(record: Record) -> tuple[object, ...]:
    if isinstance(record, Instance):
        return (record.generation, record.deleted, record.stamp)
    return (record.stamp,)
