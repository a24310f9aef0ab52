"""Connections to a broker: opened and left in bounded time, never shared."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from kombu import Connection
from kombu.transport import virtual

from cyme.core.model import Broker

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 4.0
#: What Redis may take for one command.
REDIS_TIMEOUT_S = 2.0
#: What an orderly leave may take; the broker may have stopped to listen.
LEAVE_S = 0.5
#: What leaving may take when a call has failed, and the broker may never answer.
DROP_S = 0.25

AMQP_SCHEMES = frozenset({"amqp", "amqps", "pyamqp"})


def connection_to(
    broker: Broker, name: str, *, heartbeat_s: int = 0, confirms: bool = False
) -> Connection:
    """Return a connection that is not open yet.

    Args:
        broker: The broker.
        name: What the connection is called on the broker.
        heartbeat_s: How often either side gives a sign of life, in seconds, where the protocol
            has that and somebody calls ``heartbeat_check`` every few seconds; 0 for never.
        confirms: Whether publishing waits until a broker that speaks AMQP has the message.
    """
    options: dict[str, object] = {}
    if broker.scheme in AMQP_SCHEMES:
        options = {"client_properties": {"connection_name": name}, "confirm_publish": confirms}
    elif broker.scheme in {"redis", "rediss"}:
        options = {
            "socket_timeout": REDIS_TIMEOUT_S,
            "socket_connect_timeout": REDIS_TIMEOUT_S,
            "client_name": name,
        }
    connection = Connection(
        broker.url,
        connect_timeout=CONNECT_TIMEOUT_S,
        heartbeat=heartbeat_s,
        transport_options=options,
    )
    if isinstance(connection.transport, virtual.Transport):
        # By default all connections of a process share what they declared, for ever.
        connection.transport.state = virtual.BrokerState()
    return connection


def connect(connection: Connection) -> None:
    """Connect, without the pause of seconds that kombu makes between two attempts."""
    connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, interval_max=0)


def open_channel(connection: Connection) -> Any:
    """Connect if that is not done yet, and open a channel; the caller bounds the time."""
    connect(connection)
    return connection.channel()


def leave(
    connection: Connection, timeout_s: float, farewell: Callable[[], object] | None = None
) -> None:
    """Take leave of a broker; one that does not listen any more is left without a word.

    Args:
        connection: The connection, which may be broken.
        timeout_s: What an orderly leave may take, the farewell included.
        farewell: What is done on the connection before.
    """

    def orderly() -> None:
        if farewell is not None:
            farewell()
        connection.release()

    for step, limit_s in ((orderly, timeout_s), (connection.collect, DROP_S)):
        with gevent.Timeout(limit_s, False):
            try:
                step()
            except Exception:
                # It is over for us, whatever the broker says to that.
                logger.debug("taking leave of a broker failed", exc_info=True)
            else:
                return
