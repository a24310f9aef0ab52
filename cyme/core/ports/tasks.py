"""Ports of tasks: how they are sent, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cyme.core.model import Broker, Queue
from cyme.core.task_events import TaskEvent, WorkerEvent
from cyme.core.tasks import Outcome, SendOptions, WebhookRequest


class TaskGateway(Protocol):
    """Sends tasks and learns what became of them."""

    def new_id(self) -> str:
        """Return a task id: a UUID of version 8 that carries a hint of this branch."""

    def send(
        self,
        task_id: str,
        *,
        broker: Broker,
        result_backend: str | None,
        queue: Queue,
        request: WebhookRequest,
        options: SendOptions,
        timeout_s: float,
    ) -> None:
        """Declare the queue and publish the task; the broker has it when this returns.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
            BrokerRefused: The broker refuses the queue's declaration, or the message.
        """

    def outcome(
        self, task_id: str, *, broker: Broker, result_backend: str | None, timeout_s: float
    ) -> Outcome:
        """Return what is known of a task now.

        Raises:
            BrokerUnavailable: The result store cannot be reached.
        """

    def wait(
        self, task_id: str, *, broker: Broker, result_backend: str | None, timeout_s: float
    ) -> Outcome:
        """Return the task's outcome once it is final, or what is known at the deadline.

        Holds no thread and no connection of its own while it waits.

        Raises:
            BrokerUnavailable: The result store cannot be reached.
        """

    def stop(self, timeout_s: float) -> None:
        """Close all connections."""


class EventSink(Protocol):
    """Takes in what a broker's workers tell; must neither wait nor raise."""

    def take(self, events: Sequence[TaskEvent | WorkerEvent]) -> None:
        """Take in events, in the order in which they came."""

    def on_shed(self, events: int) -> None:
        """Take note that events were left out, as there were too many; an estimate."""

    def on_unreadable(self, messages: int) -> None:
        """Take note of messages that were no events."""

    def on_connected(self) -> None:
        """Take note that the events come from now on."""

    def on_lost(self, reason: str) -> None:
        """Take note that they come no more until the next ``on_connected``; why, in words."""


class EventListener(Protocol):
    """Listens to the events of one broker's workers, from its start until it is stopped."""

    def start(self) -> None:
        """Begin to listen; a broker that is away is tried again until it is there."""

    def stop(self, timeout_s: float) -> None:
        """End it, and take leave of the broker within that time."""


class EventListeners(Protocol):
    """Makes the listener of a broker."""

    def listener(self, broker: Broker, sink: EventSink) -> EventListener:
        """Return a new listener, which tells the sink from a greenlet of its own."""
