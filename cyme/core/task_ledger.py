"""The ledger: what the events of a broker's workers come to, bounded however many there are.

Laws:

* nothing here is ever negative, whatever comes in whatever order, twice or not at all;
* whatever users choose (names of tasks, queues, workers, exceptions) is counted by itself up to
  a bound, and together as ``other`` beyond it;
* what became of a task is counted once its queue is known, or ``unplaced_events.WAIT_S`` later
  without: a count never moves from one queue to another.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

from cyme.core.task_events import TaskDeed, TaskEvent, WorkerEvent, exception_class
from cyme.core.task_recents import RecentTasks, SeenTask
from cyme.core.task_series import TaskSeries
from cyme.core.unplaced_events import UnplacedEvents
from cyme.core.vitals import TaskTotals

NAMES_MAX: Final = 200
QUEUES_MAX: Final = 200
EXCEPTIONS_MAX: Final = 50
WORKERS_MAX: Final = 2_000

#: Counters in all; what comes then is counted with ``other`` for everything.
ROWS_MAX: Final = 20_000
RUNTIME_ROWS_MAX: Final = 1_000

OTHER: Final = "other"
UNKNOWN: Final = "unknown"

#: The upper ends of runtimes that are counted together, in seconds; as celery-exporter has them,
#: which are the default ones of prometheus_client.
RUNTIME_BUCKETS_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, float("inf")),
)

#: A worker that was silent for so many of its periods is down.
PERIODS_MISSED_MAX: Final = 3.5
PERIOD_S_DEFAULT: Final = 60.0

#: What a worker counted is forgotten so long after it was heard of last, in seconds.
WORKER_KEPT_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCount:
    """How often something became of tasks of a name on a worker.

    Attributes:
        name: The tasks' name; ``unknown`` where no event told it, ``other`` beyond the bound.
        worker: Celery's node name of the worker; of a task that was sent, who sent it: the host of
            a process that is no worker, whose own name is its number.
        queue: The queue, empty where who sent the tasks does not tell.
        deed: What became of them.
        exception: Of failures the class of the exception, else empty.
        count: How often since the ledger began; never falls.
    """

    name: str
    worker: str
    queue: str
    deed: TaskDeed
    exception: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeCount:
    """How long tasks of a name ran that succeeded.

    Attributes:
        name: The tasks' name, as in ``TaskCount``.
        queue: The queue, as there.
        up_to: For each of ``RUNTIME_BUCKETS_S`` how many ran no longer; the last is all of them.
        sum_s: How long all of them ran together, in seconds.
    """

    name: str
    queue: str
    up_to: tuple[int, ...]
    sum_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """A worker as its events show it.

    Attributes:
        node: Celery's node name.
        is_up: Whether it gave a sign of life lately.
        active: How many tasks it works on.
        seen_at: When it was heard of last, seconds since 1970 UTC.
    """

    node: str
    is_up: bool
    active: int
    seen_at: float


@dataclass(slots=True)
class _Worker:
    seen_at: float
    online: bool = True
    active: int = 0
    period_s: float = PERIOD_S_DEFAULT


_RowKey = tuple[str, str, str, TaskDeed, str]


class TaskLedger:
    """What one broker's events come to.

    Attributes:
        events: Events that were taken in.
        shed: Events that were left out, as there were too many; an estimate.
        unreadable: Messages that were no events.
        interruptions: How often the connection to the broker was lost.
        recents: The tasks that were heard of last.
    """

    def __init__(self) -> None:
        self.events = 0
        self.shed = 0
        self.unreadable = 0
        self.interruptions = 0
        self.recents = RecentTasks()
        self._series = TaskSeries()
        self._unplaced = UnplacedEvents()
        self._rows: dict[_RowKey, int] = {}
        self._runtimes: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
        self._workers: dict[str, _Worker] = {}
        self._labels: dict[str, dict[str, str]] = {}

    # --- taking in ------------------------------------------------------------------------------

    def take(self, event: TaskEvent | WorkerEvent, now: float) -> SeenTask | None:
        """Take in an event.

        Args:
            event: The event.
            now: Seconds since 1970, UTC.

        Returns:
            What is known of its task now; None if it was of no task, or came before.
        """
        self.events += 1
        for late, events in self._unplaced.take_overdue(now):
            self._count(late, *events)
        if isinstance(event, WorkerEvent):
            self._take_worker(event, now)
            return None
        task = self.recents.take(event)
        if task is not None:
            if task.queue or event.deed is TaskDeed.SENT:
                self._count(task, *self._unplaced.take(task.uuid), event)
            else:
                self._unplaced.keep(task, event, now)
            self._series.note(event.deed, now)
            if event.deed is not TaskDeed.SENT:
                self._note_active(task, event, now)
        return task

    def _count(self, task: SeenTask, *events: TaskEvent) -> None:
        name = self._label("name", task.name or UNKNOWN, NAMES_MAX)
        queue = self._label("queue", task.queue, QUEUES_MAX)
        for event in events:
            exception = ""
            if event.deed is TaskDeed.FAILED:
                exception = self._label(
                    "exception", exception_class(event.exception), EXCEPTIONS_MAX
                )
            worker = self._label("worker", _who(event), WORKERS_MAX)
            key = (name, worker, queue, event.deed, exception)
            if key not in self._rows and len(self._rows) >= ROWS_MAX:
                key = (OTHER, OTHER, OTHER, event.deed, OTHER if exception else "")
            self._rows[key] = self._rows.get(key, 0) + 1
            if event.deed is TaskDeed.SUCCEEDED and event.runtime_s is not None:
                self._note_runtime(name, queue, event.runtime_s)

    def _note_runtime(self, name: str, queue: str, runtime_s: float) -> None:
        key = (name, queue)
        if key not in self._runtimes and len(self._runtimes) >= RUNTIME_ROWS_MAX:
            key = (OTHER, OTHER)
        buckets, total = self._runtimes.setdefault(key, ([0] * len(RUNTIME_BUCKETS_S), [0.0]))
        buckets[bisect_left(RUNTIME_BUCKETS_S, runtime_s)] += 1
        total[0] += runtime_s

    def _label(self, kind: str, value: str, most: int) -> str:
        known = self._labels.setdefault(kind, {})
        if value in known or len(known) < most:
            return known.setdefault(value, value)
        return OTHER

    def _worker(self, node: str, now: float) -> _Worker:
        worker = self._workers.pop(node, None) or _Worker(now)
        worker.seen_at = now
        self._workers[node] = worker  # the one heard of last is the last
        if len(self._workers) > WORKERS_MAX:
            del self._workers[next(iter(self._workers))]
        return worker

    def _take_worker(self, event: WorkerEvent, now: float) -> None:
        worker = self._worker(event.node, now)
        worker.online = event.online
        worker.period_s = event.period_s or worker.period_s
        if not event.online:
            worker.active = 0
        elif event.active is not None:
            worker.active = max(0, event.active)

    def _note_active(self, task: SeenTask, event: TaskEvent, now: float) -> None:
        """Keep count of what a worker works on, until its next sign of life tells it anew."""
        worker = self._worker(event.node, now)
        worker.online = True
        if task.deed is TaskDeed.STARTED and not task.active_on:
            task.active_on = event.node
            worker.active += 1
        elif task.active_on and task.deed is not TaskDeed.STARTED:
            had_it = self._workers.get(task.active_on)
            if had_it is not None:
                had_it.active = max(0, had_it.active - 1)
            task.active_on = ""

    def forget(self, now: float) -> None:
        """Forget the workers that were not heard of for long, and what was counted of them."""
        old = {node for node, each in self._workers.items() if now - each.seen_at > WORKER_KEPT_S}
        if not old:
            return
        for node in old:
            del self._workers[node]
        self._rows = {key: count for key, count in self._rows.items() if key[1] not in old}
        self._labels = {
            "name": {key[0]: key[0] for key in (*self._rows, *self._runtimes)},
            "worker": {key[1]: key[1] for key in self._rows},
            "queue": {key[2]: key[2] for key in self._rows}
            | {queue: queue for _, queue in self._runtimes},
            "exception": {key[4]: key[4] for key in self._rows},
        }

    # --- what it comes to -----------------------------------------------------------------------

    def totals(self, now: float) -> TaskTotals:
        """Return how tasks went within the last ten minutes.

        Args:
            now: Seconds since 1970, UTC.
        """
        return replace(
            self._series.totals(now),
            events=self.events,
            shed=self.shed,
            unreadable=self.unreadable,
            interruptions=self.interruptions,
        )

    def counts(self) -> list[TaskCount]:
        """Return all counters of tasks."""
        return [
            TaskCount(
                name=name, worker=worker, queue=queue, deed=deed, exception=exception, count=count
            )
            for (name, worker, queue, deed, exception), count in self._rows.items()
        ]

    def unplaced(self) -> Mapping[str, int]:
        """Return how many tasks each worker took lately whose queue is still to be told.

        They are in no counter yet; the keys are node names.
        """
        return self._unplaced.received()

    def runtimes(self) -> list[RuntimeCount]:
        """Return how long tasks ran, by their names and queues."""
        return [
            RuntimeCount(name=name, queue=queue, up_to=tuple(accumulate(buckets)), sum_s=total[0])
            for (name, queue), (buckets, total) in self._runtimes.items()
        ]

    def workers(self, now: float) -> list[WorkerSeen]:
        """Return the workers that were heard of within the last hour."""
        return [
            WorkerSeen(
                node=node,
                is_up=each.online and now - each.seen_at <= each.period_s * PERIODS_MISSED_MAX,
                active=each.active,
                seen_at=each.seen_at,
            )
            for node, each in self._workers.items()
        ]


def _who(event: TaskEvent) -> str:
    """Return the name that an event is counted by.

    A process that sends tasks and is no worker is ``gen<pid>@<host>``: there are ever new ones.
    """
    name, at, host = event.node.partition("@")
    is_process = at and name.startswith("gen") and name[3:].isdecimal()
    return host if event.deed is TaskDeed.SENT and is_process else event.node
