"""The journal: what happened lately on this branch and why, in memory and bounded.

It is numbered on from where the branch's last life ended, if what that life wrote was kept
(``cyme.runtime.chronicle``), and every life has a number of its own, so that no two events are
ever of one name.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator

from cyme.core.events import Cursor, Event, EventFilter, Page
from cyme.core.ports import Clock

logger = logging.getLogger(__name__)

#: Events kept of one instance; its older ones go first.
EVENTS_PER_INSTANCE_MAX = 200

#: Events kept in all; the oldest go first, whosesoever they are.
EVENTS_MAX = 10_000

#: Characters of a reason that are kept.
REASON_CHARS_MAX = 2_000

#: A page that goes to another branch has so many events, and about so many characters.
PAGE_EVENTS_MAX = 500
PAGE_CHARS_MAX = 150_000

_CHARS_OF_FIELDS = 200

Subscriber = Callable[[Event], None]


class Journal:
    """Keeps events, numbers them and tells subscribers of each, in order.

    Args:
        clock: Time.
        branch: This branch, which every event names.

    Attributes:
        cursor: The place of the latest event.
    """

    def __init__(self, clock: Clock, branch: str = "") -> None:
        self._clock = clock
        self._branch = branch
        self.cursor = Cursor(int(clock.wall() * 1000), 0)
        self._events: OrderedDict[int, Event] = OrderedDict()
        self._seqs_by_instance: dict[str, deque[int]] = {}
        self._subscribers: list[Subscriber] = []

    def restore(self, events: Iterable[Event]) -> None:
        """Take over what earlier lives of this branch told, the oldest first.

        What happens from now on is numbered after it. Nobody is told of it again.
        """
        for event in events:
            if event.seq <= self.cursor.seq:
                continue
            self._keep(event)
            # A clock that was set back must not put this life before that one.
            self.cursor = Cursor(max(self.cursor.life, event.life + 1), event.seq)

    def record(
        self,
        kind: str,
        reason: str,
        *,
        app: str | None = None,
        instance: str | None = None,
        **data: object,
    ) -> Event:
        """Keep an event and tell the subscribers.

        Args:
            kind: What happened, as ``noun.deed``.
            reason: Why, in words for an operator.
            app: The app it concerns, if any.
            instance: The instance it concerns, if any.
            **data: Further facts, JSON types; never a secret.
        """
        self.cursor = Cursor(self.cursor.life, self.cursor.seq + 1)
        event = Event(
            seq=self.cursor.seq,
            at=self._clock.wall(),
            kind=kind,
            reason=reason[:REASON_CHARS_MAX],
            app=app,
            instance=instance,
            branch=self._branch,
            life=self.cursor.life,
            data=data,
        )
        self._keep(event)
        logger.info("%s %s: %s", kind, instance or app or "-", reason)
        for subscriber in tuple(self._subscribers):
            subscriber(event)
        return event

    def of_instance(self, name: str) -> list[Event]:
        """Return what is kept of an instance, the oldest first."""
        return [self._events[seq] for seq in self._seqs_by_instance.get(name, ())]

    def recent(self, limit: int) -> list[Event]:
        """Return the latest events, at most ``limit``, the oldest first."""
        return self.find(EventFilter(), limit)

    def find(self, wanted: EventFilter, limit: int) -> list[Event]:
        """Return the latest events that are wanted, at most ``limit``, the oldest first."""
        latest: list[Event] = []
        for event in self._backwards(wanted):
            if len(latest) >= limit:
                break
            if wanted.wants(event):
                latest.append(event)
        return latest[::-1]

    def after(self, cursor: Cursor) -> Page:
        """Return the events that follow a place, the oldest first, as many as a page takes."""
        following: list[Event] = []
        for event in reversed(self._events.values()):
            if event.cursor <= cursor:
                break
            following.append(event)
        return page_of(reversed(following), self.cursor)

    def before(self, moment: float) -> Cursor:
        """Return the place before the first event that happened then or later.

        Args:
            moment: Seconds since 1970, UTC.
        """
        place = self.cursor
        for event in reversed(self._events.values()):
            if event.at < moment:
                return event.cursor
            place = Cursor(event.life, event.seq - 1)
        return place

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have ``subscriber`` called with every event from now on.

        It is called in the greenlet that records, so it must neither wait nor raise.

        Returns:
            A function that ends the subscription.
        """
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def _backwards(self, wanted: EventFilter) -> Iterator[Event]:
        """Return the events among which those are that are wanted, the latest first."""
        if len(wanted.instances) == 1:
            return reversed(self.of_instance(wanted.instances[0]))
        return reversed(self._events.values())

    def _keep(self, event: Event) -> None:
        self._events[event.seq] = event
        if event.instance is not None:
            seqs = self._seqs_by_instance.setdefault(event.instance, deque())
            seqs.append(event.seq)
            if len(seqs) > EVENTS_PER_INSTANCE_MAX:
                del self._events[seqs.popleft()]
        if len(self._events) > EVENTS_MAX:
            _, oldest = self._events.popitem(last=False)
            self._forget_of_instance(oldest)

    def _forget_of_instance(self, oldest: Event) -> None:
        """Drop the oldest event of all, which is the oldest of its instance too."""
        if oldest.instance is None:
            return
        seqs = self._seqs_by_instance[oldest.instance]
        seqs.popleft()
        if not seqs:
            del self._seqs_by_instance[oldest.instance]


def page_of(events: Iterable[Event], cursor: Cursor) -> Page:
    """Return as many events as one answer to another branch takes.

    Args:
        events: The oldest first.
        cursor: The place that all of them lead to.
    """
    taken: list[Event] = []
    chars = 0
    for event in events:
        chars += _chars_of(event)
        if taken and (len(taken) >= PAGE_EVENTS_MAX or chars > PAGE_CHARS_MAX):
            return Page(tuple(taken), taken[-1].cursor)
        taken.append(event)
    return Page(tuple(taken), cursor)


def _chars_of(event: Event) -> int:
    data = sum(len(name) + len(str(value)) for name, value in event.data.items())
    return _CHARS_OF_FIELDS + len(event.reason) + data
