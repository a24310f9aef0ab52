"""What became of tasks lately: one entry a task, made of the events that came of it.

Laws:

* events may come in any order, more than once, or not at all: the latest by its own moment tells
  the state, the others add what they know;
* who sent a task and who works on it have clocks of their own, so that having been sent never
  follows anything;
* tasks that are over and tasks that are not have room of their own, so that many short tasks do
  not drive out a long one, whose end could not be put to a name any more.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from cyme.core.task_events import STATES, TaskDeed, TaskEvent
from cyme.core.vitals import TaskSighting

OPEN_MAX: Final = 5_000
ENDED_MAX: Final = 5_000

#: Of two deeds of one moment the later one here tells the state.
_RANKS: Final = {deed: rank for rank, deed in enumerate(TaskDeed)}

_OVER: Final = frozenset({TaskDeed.SUCCEEDED, TaskDeed.FAILED, TaskDeed.REVOKED, TaskDeed.REJECTED})


class SeenTask:
    """What is known of a task; attributes as of ``TaskSighting``.

    Attributes:
        deed: What became of it last.
        heard: Grows with every event of any task.
        active_on: The worker that counts it among those it works on; empty if none does.
    """

    __slots__ = (
        "active_on",
        "app",
        "at",
        "deed",
        "ended_at",
        "exception",
        "heard",
        "name",
        "node",
        "queue",
        "received_at",
        "retried_at",
        "retries",
        "runtime_s",
        "sent_at",
        "started_at",
        "url",
        "uuid",
    )

    def __init__(self, uuid: str, deed: TaskDeed) -> None:
        self.uuid = uuid
        self.deed = deed
        self.at = float("-inf")
        self.heard = 0
        self.name = ""
        self.queue = ""
        self.node = ""
        self.app = ""
        self.url = ""
        self.exception = ""
        self.retries = 0
        self.runtime_s: float | None = None
        self.sent_at: float | None = None
        self.received_at: float | None = None
        self.started_at: float | None = None
        self.retried_at: float | None = None
        self.ended_at: float | None = None
        self.active_on = ""

    @property
    def state(self) -> str:
        """Celery's word for where it stands."""
        return STATES[self.deed]

    def knows(self, event: TaskEvent) -> bool:
        """Tell whether an event is one that came before."""
        if event.deed in _OVER:
            return self.ended_at == event.at and self.deed is event.deed
        known: object = getattr(self, f"{event.deed}_at")
        return known == event.at

    def take(self, event: TaskEvent) -> None:
        """Take in an event."""
        self.name = event.name or self.name
        self.queue = event.queue or self.queue
        self.app = event.app or self.app
        self.url = event.url or self.url
        self.retries = max(self.retries, event.retries or 0)
        deed = event.deed
        if deed is TaskDeed.SENT:
            self.sent_at = event.at
            self.at = max(self.at, event.at) if self.node else event.at
            return
        latest = not self.node or (event.at, _RANKS[deed]) >= (self.at, _RANKS[self.deed])
        self._note_moment(event, latest=latest)
        if latest:
            self.deed, self.at, self.node = deed, event.at, event.node
            self.exception = event.exception
        if event.runtime_s is not None:
            self.runtime_s = event.runtime_s

    def _note_moment(self, event: TaskEvent, *, latest: bool) -> None:
        match event.deed:
            case TaskDeed.RECEIVED:
                self.received_at = event.at
                if latest:  # another try, of which nothing else is known yet
                    self.started_at = self.ended_at = self.runtime_s = None
            case TaskDeed.STARTED:
                self.started_at = event.at
            case TaskDeed.RETRIED:
                self.retried_at = event.at
            case _:
                self.ended_at = event.at

    def sighting(self) -> TaskSighting:
        """Return what is known; the instance and its app are left to who knows the instances."""
        return TaskSighting(
            uuid=self.uuid,
            name=self.name,
            app=self.app or None,
            worker=self.node,
            queue=self.queue or None,
            state=self.state,
            at=self.at,
            sent_at=self.sent_at,
            received_at=self.received_at,
            started_at=self.started_at,
            ended_at=self.ended_at,
            runtime_s=self.runtime_s,
            exception=self.exception or None,
            retries=self.retries,
            url=self.url or None,
        )


class RecentTasks:
    """The tasks that were heard of last.

    Args:
        open_max: How many that are not over are kept; who was not heard of for longest goes.
        ended_max: How many that are over.
    """

    def __init__(self, open_max: int = OPEN_MAX, ended_max: int = ENDED_MAX) -> None:
        self._open_max = open_max
        self._ended_max = ended_max
        self._open: OrderedDict[str, SeenTask] = OrderedDict()
        self._ended: OrderedDict[str, SeenTask] = OrderedDict()
        self._heard = 0

    def __len__(self) -> int:
        return len(self._open) + len(self._ended)

    def take(self, event: TaskEvent) -> SeenTask | None:
        """Take in an event, and return what is known of its task now; None if it came before."""
        uuid = event.uuid
        task = self._open.pop(uuid, None) or self._ended.pop(uuid, None)
        if task is None:
            task = SeenTask(uuid, event.deed)
            task.take(event)
        elif task.knows(event):
            self._keep(task)
            return None
        else:
            task.take(event)
        self._keep(task)
        return task

    def find(self, uuid: str) -> SeenTask | None:
        """Return what is known of a task, None if nothing is."""
        return self._open.get(uuid) or self._ended.get(uuid)

    def newest(self, matches: Callable[[SeenTask], bool], limit: int) -> list[SeenTask]:
        """Return the tasks that match, at most ``limit``, the one heard of last first."""
        found: list[SeenTask] = []
        for task in self._by_age():
            if len(found) >= limit:
                break
            if matches(task):
                found.append(task)
        return found

    def _by_age(self) -> Iterator[SeenTask]:
        rows = (reversed(self._open.values()), reversed(self._ended.values()))
        return heapq.merge(*rows, key=lambda task: -task.heard)

    def _keep(self, task: SeenTask) -> None:
        """Put a task where it belongs, as the one heard of last."""
        self._heard += 1
        task.heard = self._heard
        if task.deed in _OVER:
            self._ended[task.uuid] = task
            if len(self._ended) > self._ended_max:
                self._ended.popitem(last=False)
        else:
            self._open[task.uuid] = task
            if len(self._open) > self._open_max:
                self._open.popitem(last=False)
