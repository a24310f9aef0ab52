"""One listener's share of the feed: what it wants, bounded, with a count of what was lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from cyme.core.events import Event, EventFilter

#: So many events wait for a listener; beyond, the oldest are lost and counted.
WAITING_MAX = 2_000


class Arrival(NamedTuple):
    """An event that reached the feed.

    Attributes:
        position: Grows by one with every event of the feed; what is told of tasks has the
            position of the event before it.
        event: The event.
    """

    position: int
    event: Event


class Subscription:
    """What reached the feed for one listener since it looked last.

    Args:
        wanted: Which events it wants.
        tasks: Whether it wants what workers tell of their tasks, too.
        notify: Called when there is something to take; must neither wait nor raise.
        close: Ends the subscription.
    """

    __slots__ = ("_dropped", "_notify", "_waiting", "close", "tasks", "wanted")

    def __init__(
        self,
        wanted: EventFilter,
        *,
        tasks: bool,
        notify: Callable[[], None],
        close: Callable[[Subscription], None],
    ) -> None:
        self.wanted = wanted
        self.tasks = tasks
        self._notify = notify
        self._waiting: deque[Arrival] = deque()
        self._dropped = 0
        self.close: Callable[[], None] = lambda: close(self)

    def offer(self, arrival: Arrival) -> None:
        """Keep an event if it is wanted."""
        if not self.wanted.wants(arrival.event):
            return
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(arrival)
        self._notify()

    def lose(self, count: int) -> None:
        """Take note that events were lost before they were offered."""
        self._dropped += count
        self._notify()

    def take(self) -> tuple[list[Arrival], int]:
        """Return what came since the last time, and how many events were lost."""
        taken, dropped = list(self._waiting), self._dropped
        self._waiting.clear()
        self._dropped = 0
        return taken, dropped
