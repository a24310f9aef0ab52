"""Clusters of 2 to 500 branches notice a death and heal in seconds, and are not talkative."""

from __future__ import annotations

import gc
import random
import sys
from collections import Counter
from types import FunctionType, ModuleType

import pytest

from cyme.core.branches import BranchState
from cyme.core.cluster.messages import Message
from cyme.runtime.cluster import wire
from cyme.testing.simulation import World, split
from cyme.testing.simulation.life import Life
from tests.simulation.clusters import (
    PATIENT,
    SEED,
    TOGETHER,
    formed,
    held,
    seconds_until,
    with_instances,
)

#: A busy machine takes its time to simulate many branches.
pytestmark = pytest.mark.timeout(300)

DEATH_S = 10.0
HEAL_S = 15.0
SPLIT_S = 60.0

GOSSIP_BYTES_PER_S = 5_000

#: What a message costs beside its frames: CURVE's boxes, ZMTP's flags and lengths, TCP and IP.
TRANSPORT_BYTES = 130

MEMORY_BYTES_MAX = 8 * 1024 * 1024


@pytest.mark.parametrize(
    "branches",
    [
        2,
        10,
        50,
        pytest.param(200, marks=pytest.mark.slow),
        pytest.param(500, marks=[pytest.mark.soak, pytest.mark.timeout(300)]),
    ],
)
def test_all_survivors_know_of_a_death_within_ten_seconds(branches: int) -> None:
    world = formed(branches)
    world.run(2.0)
    world.power_off("b2")
    took_s = seconds_until(
        world, most_s=DEATH_S, so=lambda: held(world, "b2") == {BranchState.FAILED}
    )
    assert took_s > 3.0, "silence is no death"


@pytest.mark.parametrize("seed", range(8))
def test_a_death_is_known_in_time_whoever_dies(seed: int) -> None:
    world = formed(7, seed=seed)
    world.run(random.Random(seed).uniform(1.0, 5.0))
    world.power_off("b3")
    seconds_until(world, most_s=DEATH_S, so=lambda: held(world, "b3") == {BranchState.FAILED})


@pytest.mark.parametrize(
    ("branches", "broker"),
    [
        (5, "both reach the broker"),
        (5, "one side reaches the broker"),
        (50, "both reach the broker"),
        (50, "one side reaches the broker"),
        pytest.param(
            200,
            "one side reaches the broker",
            marks=[pytest.mark.soak, pytest.mark.timeout(300)],
        ),
    ],
)
def test_views_are_equal_soon_after_a_split_in_forty_and_sixty(branches: int, broker: str) -> None:
    world = with_instances(
        formed(branches, policy=PATIENT),
        *[f"b{1 + number * branches // 10}" for number in range(min(10, branches))],
    )
    names = list(world.machines)
    smaller, larger = names[: branches * 2 // 5], names[branches * 2 // 5 :]
    wall = split(smaller, larger)
    world.network.walls.append(wall)
    if broker == "one side reaches the broker":
        world.broker.cut_off.update(smaller)
    world.run(SPLIT_S)
    claimed = world.watch.figures.writes
    assert (claimed > 0) == (broker == "one side reaches the broker")
    world.network.walls.remove(wall)
    world.broker.cut_off.clear()
    world.disturb()
    assert world.settle(HEAL_S, TOGETHER, stays_s=1.0) <= HEAL_S
    world.settle()
    # Everything that was claimed went home again, in one step.
    assert world.watch.figures.writes == 2 * claimed


def test_healthy_branches_are_not_declared_failed_while_others_pause() -> None:
    world = formed(50)
    chance = random.Random(SEED)
    names = list(world.machines)
    paused = set(chance.sample(names, 10))
    healthy = [name for name in names if name not in paused]

    def pause(name: str) -> None:
        world.pause(name)
        world.timeline.after(chance.uniform(3.0, 12.0), go_on, name)

    def go_on(name: str) -> None:
        world.resume(name)
        world.timeline.after(chance.uniform(3.0, 12.0), pause, name)

    for name in sorted(paused):
        world.timeline.after(chance.uniform(0.0, 5.0), pause, name)
    for _ in range(90):
        world.run(1.0)
        assert world.watch.held_to_have_failed(healthy) == []


@pytest.mark.parametrize(
    ("branches", "writes_per_s"), [(50, 0), (50, 1), pytest.param(200, 1, marks=pytest.mark.soak)]
)
def test_gossip_costs_a_branch_little(branches: int, writes_per_s: int) -> None:
    world = with_instances(formed(branches), *[f"b{number}" for number in range(1, 41)])
    world.run(10.0)
    spent: Counter[str] = Counter()
    sent = world.watch.sent

    def weighed(life: Life, message: Message, copies: int) -> None:
        size = sum(map(len, wire.pack(message, cluster=bytes(8)))) + TRANSPORT_BYTES
        spent[type(message).__name__] += size * copies
        sent(life, message, copies)

    world.network.on_message = weighed
    for second in range(20):
        for write in range(writes_per_s):
            world.lives()[(7 * second + write) % branches].service.ask(
                f"w{second % 40 + 1}", "change"
            )
        world.run(1.0)
    per_s = sum(spent.values()) / branches / 20.0
    assert 100 < per_s <= GOSSIP_BYTES_PER_S, dict(spent)


def test_a_mass_failure_floods_nobody_and_fills_no_memory() -> None:
    world = formed(60)
    world.run(5.0)
    for number in range(1, 31):
        world.power_off(f"b{number}")
    world.watch.figures.messages_per_s_max = 0
    seconds_until(
        world,
        most_s=40.0,
        so=lambda: all(
            held(world, f"b{number}") == {BranchState.FAILED} for number in range(1, 31)
        ),
    )
    assert world.watch.figures.messages_per_s_max < 200
    for number in range(1, 31):
        world.timeline.after(number / 30.0, world.power_on, f"b{number}")
    world.settle(60.0, TOGETHER, stays_s=1.0)
    assert world.watch.figures.messages_per_s_max < 500
    assert max(memory_of(life) for life in world.lives()) < MEMORY_BYTES_MAX


def memory_of(life: Life) -> int:
    """Return the bytes of everything that a node holds."""
    seen: set[int] = set()
    left: list[object] = [life.node]
    size = 0
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType | World):
            continue
        seen.add(id(one))
        size += sys.getsizeof(one)
        left += gc.get_referents(one)
    return size
