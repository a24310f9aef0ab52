"""The events of tasks for those who watch them: few of many, and only while somebody does.

Whoever watches asks again and again, and each time for a while; when nobody does, what workers
tell is only counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import gevent
from gevent.event import Event as Signalled

from cyme.core.events import Event
from cyme.core.ports import Clock
from cyme.core.task_events import TaskDeed, TaskEvent
from cyme.core.task_filter import Place
from cyme.core.task_recents import SeenTask

#: Events that are passed on a second; those beyond are counted and left out.
PER_S_MAX: Final = 200

#: Events that are kept for those who ask next.
KEPT_MAX: Final = 1_000

#: Events are passed on for so long after somebody asked for them, in seconds.
LEASE_S: Final = 5.0

#: Events that follow each other closely are answered together, within so long, in seconds.
GATHER_S: Final = 0.1

_WORDS: Final = {
    TaskDeed.SENT: "was sent",
    TaskDeed.RECEIVED: "was received",
    TaskDeed.STARTED: "was started",
    TaskDeed.SUCCEEDED: "succeeded",
    TaskDeed.FAILED: "failed",
    TaskDeed.RETRIED: "is tried again",
    TaskDeed.REVOKED: "was revoked",
    TaskDeed.REJECTED: "was rejected",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """Events of tasks, for who asks for what came after a place.

    Attributes:
        events: The events, in the order in which they came.
        cursor: The place behind them: how many were passed on before it, and how many left out.
        left_out: How many were left out since the place that was asked for, as there were too
            many, or as who asks came too late for them.
    """

    events: tuple[Event, ...]
    cursor: tuple[int, int]
    left_out: int = 0


class TaskFeed:
    """The latest events of tasks, as long as somebody asks for them.

    Args:
        clock: Time.
        place_of: Tells whose a worker is, by its node name.
        branch_id: This branch, which tells what no instance does.
    """

    def __init__(self, clock: Clock, place_of: Callable[[str], Place], branch_id: str) -> None:
        self._clock = clock
        self._place_of = place_of
        self._branch_id = branch_id
        self._wanted_until = float("-inf")
        self._seq = 0
        self._left_out = 0
        self._second = 0
        self._this_second = 0
        self._kept: deque[Event] = deque(maxlen=KEPT_MAX)
        self._news = Signalled()

    @property
    def is_wanted(self) -> bool:
        """Whether anybody watches."""
        return self._clock.monotonic() < self._wanted_until

    def put(self, task: SeenTask, event: TaskEvent) -> None:
        """Pass an event on, if anybody watches and it is not too much."""
        now = self._clock.monotonic()
        if now >= self._wanted_until:
            return
        if int(now) != self._second:
            self._second, self._this_second = int(now), 0
        self._this_second += 1
        if self._this_second > PER_S_MAX:
            self._left_out += 1
            return
        self._seq += 1
        self._kept.append(self._told(task, event))
        self._news.set()

    def page(self, after: tuple[int, int] | None, *, wait_s: float) -> TaskPage:
        """Return what came after a place, as soon as there is something.

        Args:
            after: The place; None for now.
            wait_s: How long to wait, in seconds.
        """
        self._wanted_until = self._clock.monotonic() + wait_s + LEASE_S
        here = (self._seq, self._left_out)
        if after is None or after[0] > here[0] or after[1] > here[1]:
            after = here  # the place is none, or of an earlier life of this branch
        seq, left_out = after
        if seq == self._seq:
            self._news.clear()
            if self._news.wait(wait_s):
                gevent.sleep(GATHER_S)
        events = tuple(event for event in self._kept if event.seq > seq)
        return TaskPage(
            events=events,
            cursor=(self._seq, self._left_out),
            left_out=self._seq - seq - len(events) + self._left_out - left_out,
        )

    def _told(self, task: SeenTask, event: TaskEvent) -> Event:
        place = self._place_of(task.node)
        data: dict[str, object] = {
            "uuid": task.uuid,
            "name": task.name,
            "queue": task.queue,
            "url": task.url,
            "worker": task.node,
            "runtime_s": event.runtime_s,
            "exception": event.exception,
            "retries": task.retries,
        }
        subject = task.url or task.name or "a task"
        because = f": {event.exception}" if event.exception else ""
        return Event(
            seq=self._seq,
            at=event.at,
            kind=f"task.{event.deed}",
            reason=f"{subject} {_WORDS[event.deed]}{because}",
            app=task.app or place.app,
            instance=place.instance,
            branch=place.branch or self._branch_id,
            data={name: value for name, value in data.items() if value not in (None, "", 0)},
        )
