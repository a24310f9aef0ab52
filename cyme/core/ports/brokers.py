"""Ports of a broker, as it is looked after: remote control of its workers, looks at its queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from cyme.core.model import Broker, Queue
from cyme.core.vitals import QueueSight
from cyme.core.workers import Report


class Control(Protocol):
    """Remote control of the workers on one broker; calls are made one after the other."""

    def survey(
        self, nodes: Sequence[str], *, with_limits: bool, timeout_s: float
    ) -> Mapping[str, Report]:
        """Ask all the nodes in one broadcast; return what those say that answered in time.

        With no nodes nothing is broadcast: it only makes sure that the broker answers.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
        """

    def add_consumer(self, node: str, queue: Queue, *, timeout_s: float) -> None:
        """Tell a worker to consume from a queue, declaring it.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
            BrokerRefused: The worker refused; the message is its own.
            DeadlineExceeded: The worker did not answer.
        """

    def cancel_consumer(self, node: str, queue: str, *, timeout_s: float) -> None:
        """Tell a worker to stop consuming from a queue; raises as ``add_consumer``."""

    def autoscale(self, node: str, minimum: int, maximum: int, *, timeout_s: float) -> None:
        """Set a worker's concurrency limits; raises as ``add_consumer``."""

    def stats(self, node: str, *, timeout_s: float) -> Mapping[str, object]:
        """Return what ``celery inspect stats`` says of a worker; raises as ``add_consumer``."""

    def check_queue(self, queue: Queue, *, timeout_s: float) -> None:
        """Declare the queue on the broker, so that a bad declaration harms no worker.

        Raises:
            BrokerRefused: The broker refuses the declaration; the message says why.
            BrokerUnavailable: The broker cannot be reached, or hangs.
        """

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""


class Controls(Protocol):
    """Makes the control of a broker."""

    def control(self, broker: Broker) -> Control:
        """Return a new control of the broker; it connects at its first call."""


class QueueProbe(Protocol):
    """Looks at the queues of one broker; calls are made one after the other."""

    def look(self, queues: Sequence[str], *, timeout_s: float) -> Mapping[str, QueueSight]:
        """Return how queues look; those that there was no time for are left out.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
            DeadlineExceeded: Earlier calls took all the time.
        """

    def purge(self, queue: str, *, count_max: int, timeout_s: float) -> int:
        """Remove what waits in a queue, and return how many messages that were.

        Raises:
            Conflict: There are more than ``count_max``; nothing was removed.
            BrokerUnavailable: The broker cannot be reached, or hangs.
            DeadlineExceeded: Earlier calls took all the time.
        """

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""


class QueueProbes(Protocol):
    """Makes the probe of a broker."""

    def probe(self, broker: Broker) -> QueueProbe:
        """Return a new probe of the broker; it connects at its first call."""
