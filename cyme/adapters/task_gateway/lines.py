"""A connection to a broker: opened and left in bounded time, never shared."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import gevent
from kombu import Connection
from kombu.transport import virtual

from cyme.core.model import MASK, Broker
from cyme.errors import BrokerUnavailable

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 4.0
#: What Redis may take for one command.
REDIS_TIMEOUT_S = 2.0
#: A broker that says nothing for two of these is not there.
HEARTBEAT_S = 30
#: What taking leave of a broker may take; it may have stopped to listen.
LEAVE_S = 0.5

AMQP_SCHEMES = frozenset({"amqp", "amqps", "pyamqp"})


class Line:
    """A connection and a channel on it.

    Args:
        broker: The broker.
        name: What the connection is called on the broker.
        with_heartbeat: Whether somebody calls ``check`` every few seconds.
    """

    def __init__(self, broker: Broker, name: str, *, with_heartbeat: bool = False) -> None:
        self._broker = broker
        self._connection = _connection(broker, name, HEARTBEAT_S if with_heartbeat else 0)
        self._link: Any = None

    def open(self) -> Any:
        """Connect and return a channel; the caller bounds the time."""
        # By itself kombu pauses for seconds between two attempts.
        self._connection.ensure_connection(
            max_retries=1, interval_start=0, interval_step=0, interval_max=0
        )
        self._link = self._connection.connection
        return self._connection.channel()

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
            in_peace: Whether to take leave as the protocol has it; after a failure the broker
                may not listen any more, and is left without a word.
        """
        with gevent.Timeout(LEAVE_S, False):
            try:
                if self._link is not None and not in_peace and self.is_amqp:
                    self._link.collect()
                else:
                    self._connection.release()
            except Exception:
                # It is over for us, whatever the broker says to that.
                logger.debug("taking leave of a broker failed", exc_info=True)

    @property
    def is_amqp(self) -> bool:
        """Whether it speaks AMQP itself, rather than what Kombu makes of another protocol."""
        return self._broker.scheme in AMQP_SCHEMES


def _connection(broker: Broker, name: str, heartbeat_s: int) -> Connection:
    options: dict[str, object] = {}
    if broker.scheme in AMQP_SCHEMES:
        options = {"confirm_publish": True, "client_properties": {"connection_name": name}}
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


@contextmanager
def within(timeout_s: float, broker: Broker) -> Iterator[None]:
    """Bound the time of what is done with a broker.

    Raises:
        BrokerUnavailable: The time is over.
    """
    limit = gevent.Timeout(max(0.0, timeout_s))
    try:
        with limit:
            yield
    except gevent.Timeout as timeout:
        if timeout is not limit:
            raise
        raise unavailable(broker.url, f"it does not answer within {timeout_s:g} s") from None


def unavailable(url: str, reason: object) -> BrokerUnavailable:
    """Return the error for a broker, or a result backend, that is away.

    Args:
        url: Where it was looked for; its password is masked, here and in the reason.
        reason: What was found instead: a sentence, or an exception.
    """
    broker = Broker(url)
    told = str(reason) or type(reason).__name__
    for secret in {broker.password, urlsplit(url).password}:
        told = told.replace(secret, MASK) if secret else told
    return BrokerUnavailable(
        f"{broker.masked_url} cannot be reached: {told.rstrip('.')}. "
        "Check that it runs, and its URL."
    )
