"""Those who wait to hear of a task: an event each, and no thread and no connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gevent.event import Event

from cyme.core.tasks import PENDING, Outcome
from cyme.errors import BrokerUnavailable, Overloaded

WATCHES_MAX = 10_000


@dataclass(slots=True, eq=False)
class Watch:
    """Somebody who waits to hear of a task.

    Attributes:
        task_id: The task.
        until_final: Whether only its final state ends the wait, not any answer at all.
        outcome: What is known so far.
        failure: Why the last attempt to know more has failed, if it has.
        over: Set when the wait is over.
    """

    task_id: str
    until_final: bool
    outcome: Outcome = PENDING
    failure: BrokerUnavailable | None = None
    over: Event = field(default_factory=Event)

    def tell(self, outcome: Outcome) -> None:
        """Say what is known of the task; what is final stays."""
        if self.outcome.state.is_final:
            return
        self.outcome, self.failure = outcome, None
        if outcome.state.is_final or not self.until_final:
            self.over.set()

    def fail(self, failure: BrokerUnavailable) -> None:
        """Say that nothing can be known; who waits for the final state waits on."""
        self.failure = failure
        if not self.until_final:
            self.over.set()

    def result(self) -> Outcome:
        """Return what is known when the wait is over.

        Raises:
            BrokerUnavailable: The last attempt to know has failed.
        """
        if self.failure is not None and not self.outcome.state.is_final:
            raise self.failure
        return self.outcome


class Watches:
    """All who wait, by task."""

    def __init__(self) -> None:
        self._by_task: dict[str, list[Watch]] = {}
        self._count = 0

    @contextmanager
    def added(self, watch: Watch) -> Iterator[Watch]:
        """Have a watch told of its task while the block lasts.

        Raises:
            Overloaded: Too many wait already.
        """
        if self._count >= WATCHES_MAX:
            raise Overloaded(f"{WATCHES_MAX} requests wait for tasks already; try again.")
        self._count += 1
        self._by_task.setdefault(watch.task_id, []).append(watch)
        try:
            yield watch
        finally:
            self._count -= 1
            same = self._by_task[watch.task_id]
            same.remove(watch)
            if not same:
                del self._by_task[watch.task_id]

    def __len__(self) -> int:
        return self._count

    def tasks(self) -> list[str]:
        """Return the tasks that somebody waits for and whose end nobody knows yet."""
        return [
            task_id
            for task_id, watches in self._by_task.items()
            if not all(watch.over.is_set() for watch in watches)
        ]

    def tell(self, task_id: str, outcome: Outcome) -> None:
        """Say what is known of a task to all who wait for it."""
        for watch in self._by_task.get(task_id, ()):
            watch.tell(outcome)

    def fail(self, task_ids: list[str], failure: BrokerUnavailable) -> None:
        """Say to those who wait for the tasks that nothing can be known."""
        for task_id in task_ids:
            for watch in self._by_task.get(task_id, ()):
                watch.fail(failure)
