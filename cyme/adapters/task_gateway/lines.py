"""A connection to a broker and a channel on it."""

from __future__ import annotations

from typing import Any

from cyme.adapters.broker_calls import (
    AMQP_SCHEMES,
    DROP_S,
    LEAVE_S,
    connection_to,
    leave,
    open_channel,
)
from cyme.core.model import Broker

#: A broker that says nothing for two of these is not there.
HEARTBEAT_S = 30


class Line:
    """A connection and a channel on it.

    Args:
        broker: The broker.
        name: What the connection is called on the broker.
        with_heartbeat: Whether somebody calls ``check`` every few seconds.
    """

    def __init__(self, broker: Broker, name: str, *, with_heartbeat: bool = False) -> None:
        self._broker = broker
        heartbeat_s = HEARTBEAT_S if with_heartbeat else 0
        self._connection = connection_to(broker, name, heartbeat_s=heartbeat_s, confirms=True)

    def open(self) -> Any:
        """Connect and return a channel; the caller bounds the time."""
        return open_channel(self._connection)

    def drain(self, timeout_s: float) -> None:
        """Handle what comes next; raises TimeoutError if nothing comes in time."""
        self._connection.drain_events(timeout=timeout_s)

    def check(self) -> None:
        """Send a heartbeat if it is time; raises if the broker's have stopped to come."""
        if self._connection.supports_heartbeats:
            self._connection.heartbeat_check()

    def leave(self, *, in_peace: bool) -> None:
        """Disconnect.

        Args:
            in_peace: Whether nothing has failed; otherwise the broker is given less time.
        """
        leave(self._connection, LEAVE_S if in_peace else DROP_S)

    @property
    def is_amqp(self) -> bool:
        """Whether it speaks AMQP itself, rather than what Kombu makes of another protocol."""
        return self._broker.scheme in AMQP_SCHEMES
