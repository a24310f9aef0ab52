"""Workers' events that a test tells."""

from __future__ import annotations

from cyme.core.model import Broker
from cyme.core.ports import EventSink
from cyme.core.task_events import TaskEvent, WorkerEvent


class FakeEventListeners:
    """The ``EventListeners`` port: what is told to a broker reaches who listens to it.

    Attributes:
        listening: Who listens to each broker, by its URL.
        log: What listeners did, in order: ``start`` or ``stop``, and the URL.
    """

    def __init__(self) -> None:
        self.listening: dict[str, EventSink] = {}
        self.log: list[tuple[str, str]] = []

    def listener(self, broker: Broker, sink: EventSink) -> FakeEventListener:
        """Return a listener, which hears nothing until it is started."""
        return FakeEventListener(self, broker.url, sink)

    def tell(self, broker: Broker, *events: TaskEvent | WorkerEvent) -> None:
        """Tell events to whoever listens to a broker."""
        sink = self.listening.get(broker.url)
        if sink is not None:
            sink.take(events)


class FakeEventListener:
    """The ``EventListener`` port; made by ``FakeEventListeners``."""

    def __init__(self, listeners: FakeEventListeners, url: str, sink: EventSink) -> None:
        self._listeners = listeners
        self._url = url
        self._sink = sink

    def start(self) -> None:
        """Begin to hear."""
        self._listeners.log.append(("start", self._url))
        self._listeners.listening[self._url] = self._sink
        self._sink.on_connected()

    def stop(self, timeout_s: float) -> None:  # noqa: ARG002 - the port's signature
        """Hear no more."""
        self._listeners.log.append(("stop", self._url))
        if self._listeners.listening.get(self._url) is self._sink:
            del self._listeners.listening[self._url]
