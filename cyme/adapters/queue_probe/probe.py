"""Looks at the queues of one broker, over a connection of its own.

Laws:

* surveys of workers have another connection, so however many queues there are, no worker is
  thought to be silent because of them;
* whatever fails costs the connection, and the next look begins anew; nothing on the way out of a
  failed look waits for a broker that may never answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amqp.exceptions import ChannelError
from kombu import Connection

from cyme.adapters.broker_calls import LEAVE_S, Calls, connect, connection_to, leave
from cyme.adapters.queue_probe.sights import sights
from cyme.core.model import Broker
from cyme.core.vitals import QueueSight
from cyme.errors import Conflict


class KombuProbes:
    """Makes the probes of a branch.

    Args:
        branch_id: The branch's name, by which the broker's operators can tell its connections.
    """

    def __init__(self, branch_id: str) -> None:
        self._branch_id = branch_id

    def probe(self, broker: Broker) -> KombuProbe:
        """Return a new probe of the broker; it connects at its first look."""
        return KombuProbe(broker, f"cyme-{self._branch_id}-queues")


class KombuProbe:
    """Looks at the queues of one broker; looks are taken one after the other.

    Args:
        broker: The broker.
        name: What the connection is called on the broker.
    """

    def __init__(self, broker: Broker, name: str) -> None:
        self._broker = broker
        self._name = name
        self._calls = Calls(broker, self.close)
        self._connection: Connection | None = None
        self._channel: Any = None

    def look(self, queues: Sequence[str], *, timeout_s: float) -> Mapping[str, QueueSight]:
        """Return how queues look; those that there was no time for are left out.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
            DeadlineExceeded: Earlier calls took all the time.
        """
        return self._calls.make(
            lambda deadline: sights(self._open(), self._open_channel, queues, deadline), timeout_s
        )

    def purge(self, queue: str, *, count_max: int, timeout_s: float) -> int:
        """Remove what waits in a queue, and return how many messages that were.

        A queue that does not exist is empty.

        Raises:
            Conflict: There are more than ``count_max``; nothing was removed.
            BrokerUnavailable: The broker cannot be reached, or hangs.
            DeadlineExceeded: Earlier calls took all the time.
        """

        def purge(deadline: float) -> int:
            sight = sights(self._open(), self._open_channel, [queue], deadline)[queue]
            if sight.depth is None:
                return 0
            if sight.depth > count_max:
                raise Conflict(
                    f"The queue {queue!r} holds {sight.depth} messages by now, many more than you "
                    "expect; nothing was removed. Look again, and expect as many as there are."
                )
            try:
                return int(self._open_channel().queue_purge(queue))
            except ChannelError as exc:
                raise Conflict(
                    f"The broker does not purge the queue {queue!r}: {exc.reply_text or exc}."
                ) from exc

        return self._calls.make(purge, timeout_s)

    def close(self) -> None:
        """Close the connection; a later look opens a new one."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            leave(connection, LEAVE_S)

    # --- one look -------------------------------------------------------------------------------

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = connection_to(self._broker, self._name)
            connect(self._connection)
        return self._connection

    def _open_channel(self) -> Any:
        """Return the channel, or another one if the broker closed it over the last question."""
        if self._channel is None or not getattr(self._channel, "is_open", True):
            self._channel = self._open().channel()
        return self._channel
