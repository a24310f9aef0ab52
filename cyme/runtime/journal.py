"""The journal: what happened lately and why, in memory and bounded."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable

from cyme.core.events import Event
from cyme.core.ports import Clock

logger = logging.getLogger(__name__)

#: Events kept of one instance; its older ones go first.
EVENTS_PER_INSTANCE_MAX = 200

#: Events kept in all; the oldest go first, whosesoever they are.
EVENTS_MAX = 10_000

Subscriber = Callable[[Event], None]


class Journal:
    """Keeps events, numbers them and tells subscribers of each, in order.

    Args:
        clock: Time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seq = 0
        self._events: OrderedDict[int, Event] = OrderedDict()
        self._seqs_by_instance: dict[str, deque[int]] = {}
        self._subscribers: list[Subscriber] = []

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
        self._seq += 1
        event = Event(
            seq=self._seq,
            at=self._clock.wall(),
            kind=kind,
            reason=reason,
            app=app,
            instance=instance,
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
        latest: list[Event] = []
        for event in reversed(self._events.values()):
            if len(latest) >= limit:
                break
            latest.append(event)
        return latest[::-1]

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have ``subscriber`` called with every event from now on.

        It is called in the greenlet that records, so it must neither wait nor raise.

        Returns:
            A function that ends the subscription.
        """
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

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
