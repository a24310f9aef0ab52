"""Who hears what workers tell in a test, and who tells it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery
from celery.events import EventDispatcher

from cyme.core.task_events import TaskEvent, WorkerEvent
from tests.waiting import eventually

NODE = "w1@b1"


class Hearing:
    """The ``EventSink`` port: keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[TaskEvent | WorkerEvent] = []
        self.shed = 0
        self.unreadable = 0
        self.connections = 0
        self.losses: list[str] = []

    def take(self, events: Sequence[TaskEvent | WorkerEvent]) -> None:
        self.events += events

    def on_shed(self, events: int) -> None:
        self.shed += events

    def on_unreadable(self, messages: int) -> None:
        self.unreadable += messages

    def on_connected(self) -> None:
        self.connections += 1

    def on_lost(self, reason: str) -> None:
        self.losses.append(reason)

    def beats(self) -> list[WorkerEvent]:
        """Return the heartbeats, which tell how busy the worker is."""
        workers = [event for event in self.events if isinstance(event, WorkerEvent)]
        return [event for event in workers if event.active is not None]

    def uuids(self) -> list[str]:
        return [event.uuid for event in self.events if isinstance(event, TaskEvent)]


class Teller:
    """Tells events as Celery's workers do.

    Args:
        url: The broker.
        batch: How many events go together, 1 for each by itself.
    """

    def __init__(self, url: str, batch: int = 1) -> None:
        app = Celery("teller", broker=url, set_as_current=False)
        self._connection = app.connection_for_write()
        self._dispatcher = EventDispatcher(
            self._connection,
            app=app,
            hostname=NODE,
            buffer_group=["task"] if batch > 1 else None,
            buffer_limit=batch,
        )

    def tell(self, kind: str, **fields: Any) -> None:
        self._dispatcher.send(kind, **fields)

    def tell_many(self, count: int) -> None:
        for number in range(count):
            self.tell("task-received", uuid=f"u{number}", name="add", kwargs="{}", retries=0)
        self._dispatcher.flush()

    def tell_until(self, heard: Callable[[], object]) -> None:
        """Tell again and again of a worker until it is heard."""

        def tell_and_look() -> object:
            self.tell("worker-online")
            return heard()

        eventually(tell_and_look)

    def raw(self, body: str) -> None:
        self._dispatcher.producer.publish(
            body.encode(),
            routing_key="task.odd",
            content_type="application/json",
            content_encoding="utf-8",
            declare=[self._dispatcher.exchange],
        )

    def close(self) -> None:
        self._dispatcher.close()
        self._connection.release()
