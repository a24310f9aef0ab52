"""What both ways of listening have in common: messages become events, and are counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from cyme.adapters.celery_events.decoding import events_in, events_in_envelope
from cyme.core.ports import EventSink
from cyme.core.task_events import TaskEvent, WorkerEvent

#: How much the latest message counts in the mean of how many events a message holds.
_LATEST: Final = 0.05


class Intake:
    """Turns messages into events for a sink.

    Args:
        sink: Takes the events.
    """

    def __init__(self, sink: EventSink) -> None:
        self.sink = sink
        self._events_per_message = 1.0

    def message(self, body: object, content_type: str | None) -> None:
        """Take a message as a broker brings it."""
        self._take(lambda now: events_in(body, content_type, now))

    def envelope(self, data: bytes) -> None:
        """Take a message in the envelope of kombu."""
        self._take(lambda now: events_in_envelope(data, now))

    def shed(self, messages: int) -> None:
        """Leave messages out that were not read."""
        if messages:
            self.sink.on_shed(max(messages, round(messages * self._events_per_message)))

    def _take(self, read: Callable[[float], list[TaskEvent | WorkerEvent]]) -> None:
        try:
            events = read(time.time())
        except ValueError:
            # It is counted; to log what anybody may send would fill the log.
            self.sink.on_unreadable(1)
            return
        self._events_per_message += (len(events) - self._events_per_message) * _LATEST
        if events:
            self.sink.take(events)
