"""The feed: one stream of what happens anywhere in the cluster, for all who listen here.

Laws:

* every event that is told while somebody listens comes to the feed once; what a branch says of
  the cluster as it sees it is taken from this branch alone, or it would come from all;
* what came lately is remembered, so that who comes back misses nothing and gets nothing twice;
* other branches are asked only while somebody listens, and a little longer;
* all is bounded: what is too much is left out and counted.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import gevent
from gevent.event import Event as Signalled

from cyme.core.events import Cursor, Event, EventFilter, Page
from cyme.core.ports import Clock, Members
from cyme.runtime.cluster.ration import Ration
from cyme.runtime.feed.past import History, ask_all
from cyme.runtime.feed.pulling import Pulling
from cyme.runtime.feed.subscription import Arrival, Subscription
from cyme.runtime.journal import Journal, page_of

logger = logging.getLogger(__name__)

#: So many of the latest events are remembered for those who come back.
REMEMBERED_MAX = 4_096

#: Other branches are pulled for so long after the last listener went, in seconds: one that lost
#: its connection is back before that.
LINGER_S = 60.0

#: Events of one history at most.
HISTORY_MAX = 1_000

#: What workers tell of their tasks: so many events at once, and so many a second.
TASKS_AT_ONCE_MAX = 500
TASKS_PER_S_MAX = 500.0


class Feed:
    """The events of the cluster, merged at this branch in the order in which they come.

    Args:
        journal: What happens on this branch.
        members: The branches.
        clock: Time.
        branch_id: This branch.
    """

    def __init__(self, *, journal: Journal, members: Members, clock: Clock, branch_id: str) -> None:
        self._journal = journal
        self._members = members
        self._clock = clock
        self.branch_id = branch_id
        self._pulling = Pulling(
            members=members, clock=clock, branch_id=branch_id, arrive=self._arrive
        )
        self._position = 0
        self._remembered: deque[Arrival] = deque(maxlen=REMEMBERED_MAX)
        self._subscriptions: list[Subscription] = []
        self._holds = 0
        self._leave_journal: Callable[[], None] | None = None
        self._ending: gevent.Greenlet | None = None
        self._tasks_wanted = Signalled()  # while anybody wants what workers tell of their tasks
        self._tasks = Ration(TASKS_AT_ONCE_MAX, TASKS_PER_S_MAX)
        self._is_stopped = False

    # --- life -----------------------------------------------------------------------------------

    def stop(self, timeout_s: float) -> None:
        """Ask other branches no more; nothing comes to the feed from now on."""
        self._is_stopped = True
        if self._ending is not None:
            self._ending.kill(block=False)
        self._end(timeout_s)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the feed going within a block."""
        release = self.hold()
        try:
            yield
        finally:
            release()

    def hold(self) -> Callable[[], None]:
        """Keep the feed going until the function that is returned is called, once."""
        self._holds += 1
        self._begin()
        return self._release

    def _release(self) -> None:
        self._holds -= 1
        if self._holds == 0 and not self._is_stopped and self._ending is None:
            self._ending = gevent.spawn(self._end_later)

    def _begin(self) -> None:
        if self._ending is not None:
            self._ending.kill(block=False)
            self._ending = None
        if self._leave_journal is None and not self._is_stopped:
            self._leave_journal = self._journal.subscribe(self._arrive)
            self._pulling.start()

    def _end_later(self) -> None:
        gevent.sleep(LINGER_S)
        self._ending = None
        self._end(timeout_s=1.0)

    def _end(self, timeout_s: float) -> None:
        if self._leave_journal is not None:
            self._leave_journal()
            self._leave_journal = None
            # What is not followed any more has gaps from here on.
            self._remembered.clear()
        self._pulling.stop(timeout_s)

    # --- listening ------------------------------------------------------------------------------

    def subscribe(
        self,
        wanted: EventFilter,
        *,
        tasks: bool = False,
        notify: Callable[[], None] = lambda: None,
    ) -> Subscription:
        """Listen to what comes from now on.

        Args:
            wanted: Which events.
            tasks: Whether what workers tell of their tasks is wanted, too.
            notify: Called when there is something to take; must neither wait nor raise.
        """
        release = self.hold()

        def close(subscription: Subscription) -> None:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
                if not any(each.tasks for each in self._subscriptions):
                    self._tasks_wanted.clear()
                release()

        subscription = Subscription(wanted, tasks=tasks, notify=notify, close=close)
        self._subscriptions.append(subscription)
        if tasks:
            self._tasks_wanted.set()
        return subscription

    @property
    def followed(self) -> frozenset[str]:
        """The branches whose events come here now; none while nobody listens."""
        if self._leave_journal is None:
            return frozenset()
        return frozenset({self.branch_id, *self._pulling.asked})

    @property
    def position(self) -> int:
        """The position of the latest event of the feed."""
        return self._position

    def position_of(self, branch: str, cursor: Cursor) -> int | None:
        """Return where an event stands in the feed, None if that is not remembered."""
        for position, event in reversed(self._remembered):
            if event.branch == branch and event.cursor == cursor:
                return position
        return None

    def after(self, position: int, wanted: EventFilter) -> tuple[list[Arrival], int]:
        """Return what came after a position and is wanted, and how much of that is forgotten.

        Args:
            position: As ``position`` was before.
            wanted: Which events.
        """
        following: list[Arrival] = []
        for arrival in reversed(self._remembered):
            if arrival.position <= position:
                break
            if wanted.wants(arrival.event):
                following.append(arrival)
        first = self._position - len(self._remembered) + 1
        return following[::-1], max(0, first - position - 1)

    def known(self) -> dict[str, Cursor]:
        """Return how far the events of every branch have come to the feed."""
        known: dict[str, Cursor] = {**self._pulling.cursors}
        known[self.branch_id] = self._journal.cursor
        return known

    # --- the past -------------------------------------------------------------------------------

    def history(self, wanted: EventFilter, limit: int, *, timeout_s: float) -> History:
        """Return the latest events that are wanted, of all branches that can be asked.

        Args:
            wanted: Which events.
            limit: How many, ``HISTORY_MAX`` at most.
            timeout_s: How long it may take, in seconds.
        """
        return ask_all(
            self._members,
            self.branch_id,
            self._find_here,
            wanted,
            min(limit, HISTORY_MAX),
            timeout_s=timeout_s,
        )

    def _find_here(self, wanted: EventFilter, limit: int) -> Page:
        return Page(tuple(self._journal.find(wanted, limit)), self._journal.cursor)

    # --- tasks ----------------------------------------------------------------------------------

    @property
    def wants_tasks(self) -> bool:
        """Whether anybody listens to what workers tell of their tasks."""
        return bool(self._tasks_wanted.is_set())

    def wait_until_tasks_are_wanted(self) -> None:
        """Return at once if anybody listens to that, else as soon as somebody does."""
        self._tasks_wanted.wait()

    def put_task_events(self, events: Iterable[Event], *, left_out: int = 0) -> None:
        """Give what workers told of their tasks to those who want it.

        It is neither kept nor given again. So many are passed on a second; those beyond are lost,
        and who listens is told how many. What is of no task is passed over: another branch tells
        these events for all, and of anything else only of itself.

        Args:
            events: Of the kinds ``task.*``, in the order in which they happened.
            left_out: How many were left out already.
        """
        wanting = [each for each in self._subscriptions if each.tasks]
        if not wanting:
            return
        now = self._clock.monotonic()
        lost = left_out
        for event in events:
            if not event.is_of_task:
                continue
            if not self._tasks.take(now):
                lost += 1
                continue
            for subscription in wanting:
                subscription.offer(Arrival(self._position, event))
        if lost:
            for subscription in wanting:
                subscription.lose(lost)

    # --- what comes -----------------------------------------------------------------------------

    def _arrive(self, event: Event) -> None:
        self._position += 1
        arrival = Arrival(self._position, event)
        self._remembered.append(arrival)
        for subscription in tuple(self._subscriptions):
            subscription.offer(arrival)


def without_views(page: Page) -> Page:
    """Return a page without what its branch says of how it sees others."""
    return Page(tuple(event for event in page.events if not event.is_view), page.cursor)


def shortened(events: list[Event], cursor: Cursor) -> Page:
    """Return the latest of some events, as many as one answer to another branch takes."""
    backwards = page_of(reversed(events), cursor)
    return Page(backwards.events[::-1], cursor)
