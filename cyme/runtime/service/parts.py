"""What the use cases ask of the parts of this branch that they work with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from cyme.core.model import Broker
from cyme.core.ports import Control
from cyme.core.status import InstanceState, InstanceStatus
from cyme.core.vitals import InstanceVitals, QueueVitals


class Supervision(Protocol):
    """What the use cases ask of the supervisor, of instances of this branch."""

    def status(self, instance: str) -> InstanceStatus:
        """Return the state of an instance."""

    def wait_for(
        self, instance: str, states: Collection[InstanceState], timeout_s: float
    ) -> InstanceStatus:
        """Wait until an instance is in one of the states; return how it is then, or at the end."""

    def wait_gone(self, instance: str, timeout_s: float) -> bool:
        """Wait until nothing runs of an instance that went; tell whether that is so."""

    def restart(self, instance: str) -> None:
        """Restart a worker warmly, and wipe what it used of its restart budget."""

    def vitals(self) -> Sequence[InstanceVitals]:
        """Return how the workers of the instances do that this branch owns."""


class Controlling(Protocol):
    """Where the use cases get remote control from."""

    def control(self, broker: Broker) -> Control:
        """Return a control of the broker that may be used by many at a time."""


class Watching(Protocol):
    """What the use cases ask of whoever watches the queues."""

    def rows(self) -> tuple[QueueVitals, ...]:
        """Return what is known of the queues on the brokers that this branch collects.

        Who asks wants to know, so they are looked at more often for a while.
        """

    def known(self) -> tuple[QueueVitals, ...]:
        """Return the same; nothing is looked at more often because of that."""

    def ask(self, broker: Broker, app: str, queue: str, *, timeout_s: float) -> QueueVitals:
        """Return how a queue does at this moment.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
        """

    def purge(self, broker: Broker, queue: str, *, count_max: int, timeout_s: float) -> int:
        """Remove what waits in a queue, and return how many messages that were.

        Raises:
            Conflict: There are more than ``count_max``; nothing was removed.
            BrokerUnavailable: The broker cannot be reached, or hangs.
        """
