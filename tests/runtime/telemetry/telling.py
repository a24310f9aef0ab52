"""A town whose branches collect what a test has workers tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cyme.core.branches import BranchState
from cyme.core.model import Broker
from cyme.core.task_events import TaskDeed, TaskEvent
from cyme.testing import WALL_S
from tests.runtime.service.house import BROKER, House
from tests.runtime.service.town import Town


def told(deed: TaskDeed, uuid: str = "u1", after_s: float = 0.0, **more: Any) -> TaskEvent:
    """Return an event of a task on the worker ``w1@b1``."""
    return TaskEvent(deed, uuid, more.pop("node", "w1@b1"), WALL_S + after_s, **more)


def judge(*houses: House) -> None:
    """Let branches judge who collects."""
    for house in houses:
        house.service.telemetry.collecting.judge()


@contextmanager
def judged(town: Town) -> Iterator[None]:
    """Let the branches know of one another and judge who collects; close the town at the end."""
    town.gossip()
    judge(*town.houses.values())
    yield
    for house in town.houses.values():
        house.service.telemetry.stop(1.0)
    town.close()


def collector(town: Town, broker: Broker = BROKER) -> tuple[House, House]:
    """Return the branch that listens to a broker, and one that does not."""
    listening = [house for house in town.houses.values() if broker.url in house.listeners.listening]
    others = [house for house in town.houses.values() if house not in listening]
    assert len(listening) == 1
    return listening[0], others[0]


def gone(town: Town, house: House) -> None:
    """Let a branch fail, and all know it."""
    town.change(house.replica.branch_id, state=BranchState.FAILED)
    town.cut.add(house.replica.branch_id)
