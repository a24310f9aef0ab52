"""Events of tasks whose queue is not known yet, kept until who sent the task tells it.

Who sends a task tells the queue, a worker does not; and a worker that is idle has often told that
it took a task before the sender's word of it is here.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Final

from cyme.core.task_events import TaskDeed, TaskEvent
from cyme.core.task_recents import SeenTask

#: The word of who sent a task is waited for so long, in seconds.
WAIT_S: Final = 1.0

#: Tasks whose events wait.
TASKS_MAX: Final = 5_000


class UnplacedEvents:
    """The events that wait, by their tasks."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, tuple[float, SeenTask, list[TaskEvent]]] = OrderedDict()

    def keep(self, task: SeenTask, event: TaskEvent, now: float) -> None:
        """Keep an event of a task whose queue is not known.

        Args:
            task: What is known of the task.
            event: The event.
            now: Seconds since 1970, UTC.
        """
        self._waiting.setdefault(task.uuid, (now, task, []))[2].append(event)

    def take(self, uuid: str) -> list[TaskEvent]:
        """Give away what waits of a task, in the order in which it came."""
        kept = self._waiting.pop(uuid, None)
        return [] if kept is None else kept[2]

    def received(self) -> Mapping[str, int]:
        """Return how many of the tasks that wait each worker took, by its node name."""
        return Counter(
            event.node
            for _, _, events in self._waiting.values()
            for event in events
            if event.deed is TaskDeed.RECEIVED
        )

    def take_overdue(self, now: float) -> list[tuple[SeenTask, list[TaskEvent]]]:
        """Give away what has waited long enough, or has no room.

        Args:
            now: Seconds since 1970, UTC. A clock that was set back makes nothing wait longer.
        """
        overdue = []
        while self._waiting:
            uuid, (since, task, events) = next(iter(self._waiting.items()))
            if 0 <= now - since < WAIT_S and len(self._waiting) <= TASKS_MAX:
                break
            del self._waiting[uuid]
            overdue.append((task, events))
        return overdue
