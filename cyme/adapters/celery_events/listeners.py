"""Listeners: each a greenlet and a connection, which is made anew for as long as it takes."""

from __future__ import annotations

import logging
from typing import Final, Protocol
from urllib.parse import urlsplit

import gevent

from cyme.adapters.broker_calls import reason_of
from cyme.adapters.celery_events.intake import Intake
from cyme.adapters.celery_events.queue import EventQueue
from cyme.adapters.celery_events.subscription import SCHEMES, Subscription
from cyme.adapters.celery_events.turns import Turns
from cyme.core.model import Broker
from cyme.core.ports import EventSink

logger = logging.getLogger(__name__)

#: How long connecting may take with all that belongs to it, in seconds.
OPEN_TIMEOUT_S: Final = 8.0

#: How long a turn may take, its waiting included, before the broker is held to hang, in seconds.
TURN_TIMEOUT_S: Final = 45.0

RETRY_S_FIRST: Final = 1.0
RETRY_S_MAX: Final = 10.0


class Source(Protocol):
    """Where the events of a broker come from."""

    def open(self) -> None:
        """Connect; raises whatever went wrong."""

    def turn(self) -> None:
        """Wait for messages and take some; raises when the connection is lost."""

    def close(self) -> None:
        """Disconnect in bounded time; a later ``open`` connects again."""


class CeleryEventListeners:
    """The ``EventListeners`` port; its listeners share the turns that they take.

    Args:
        branch_id: The branch's name, by which the broker's operators can tell its connections.
        turns: As the listeners take them; those of ``turns`` where none are given.
    """

    def __init__(self, branch_id: str, turns: Turns | None = None) -> None:
        self._name = f"cyme-{branch_id}-events"
        self._turns = turns or Turns()

    def listener(self, broker: Broker, sink: EventSink) -> CeleryEventListener:
        """Return a new listener to a broker, which tells the sink."""
        source_of = Subscription if urlsplit(broker.url).scheme in SCHEMES else EventQueue
        source = source_of(broker, self._name, Intake(sink), self._turns)
        return CeleryEventListener(broker, source, sink)


class CeleryEventListener:
    """Listens to the events of one broker.

    Args:
        broker: The broker.
        source: Where they come from.
        sink: Who is told.
    """

    def __init__(self, broker: Broker, source: Source, sink: EventSink) -> None:
        self._broker = broker
        self._source = source
        self._sink = sink
        self._retry_s = RETRY_S_FIRST
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """End it, and take leave of the broker within that time."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None

    def _run(self) -> None:
        try:
            while True:
                self._sink.on_lost(self._listen())
                gevent.sleep(self._retry_s)
                self._retry_s = min(RETRY_S_MAX, self._retry_s * 2)
        finally:
            self._source.close()

    def _listen(self) -> str:
        """Listen until the connection is lost; return why it was, in words."""
        try:
            with gevent.Timeout(OPEN_TIMEOUT_S):
                self._source.open()
            self._sink.on_connected()
            while True:
                with gevent.Timeout(TURN_TIMEOUT_S):
                    self._source.turn()
                self._retry_s = RETRY_S_FIRST
        except gevent.Timeout:
            reason = "it does not answer"
        except Exception as exc:
            # What transports raise has no common root; all of it means that the line is gone.
            logger.debug("events of %s are lost", self._broker.masked_url, exc_info=True)
            reason = reason_of(exc, self._broker.url)
        self._source.close()
        return reason
