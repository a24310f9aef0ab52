"""Connections to a broker, opened in bounded time and left in bounded time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from kombu import Connection

from cyme.core.model import Broker

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 4.0
#: What Redis may take for one command.
REDIS_TIMEOUT_S = 2.0
#: What leaving may take when a call has failed, and the broker may never answer.
DROP_TIMEOUT_S = 0.25


def connection_to(broker: Broker, name: str) -> Connection:
    """Return a connection that is not open yet."""
    options: dict[str, object] = {}
    match broker.scheme:
        case "amqp" | "amqps" | "pyamqp":
            options = {"client_properties": {"connection_name": name}}
        case "redis" | "rediss":
            options = {
                "socket_timeout": REDIS_TIMEOUT_S,
                "socket_connect_timeout": REDIS_TIMEOUT_S,
                "client_name": name,
            }
    return Connection(broker.url, connect_timeout=CONNECT_TIMEOUT_S, transport_options=options)


def open_channel(connection: Connection) -> Any:
    """Connect, without the pause that kombu makes between two attempts, and open a channel."""
    connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, interval_max=0)
    return connection.channel()


def leave(connection: Connection, timeout_s: float, farewell: Callable[[], object]) -> None:
    """Take leave of a broker; one that does not listen any more is left without a word."""

    def orderly() -> None:
        farewell()
        connection.release()

    for step, limit_s in ((orderly, timeout_s), (connection.collect, DROP_TIMEOUT_S)):
        with gevent.Timeout(limit_s, False):
            try:
                step()
            except Exception:
                # It is over for us, whatever the broker says to that.
                logger.debug("taking leave of a broker failed", exc_info=True)
            else:
                return


def without_a_word() -> None:
    """Bid no farewell."""
