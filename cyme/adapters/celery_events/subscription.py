"""The events of workers on Redis and Valkey: a subscription, on a connection of its own.

Redis sends a subscriber whatever comes and counts nothing. So what comes is always taken from
the connection and cut into messages, which is cheap; as many of them become events as the turns
allow, and the oldest of the others are left out and counted. Should even that be too slow, Redis
drops the connection by itself (``client-output-buffer-limit pubsub``) and loses no more than the
events.
"""

from __future__ import annotations

import ssl
from collections import deque
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import redis

from cyme.adapters.celery_events.intake import Intake
from cyme.adapters.celery_events.replies import Replies
from cyme.adapters.celery_events.turns import Turns
from cyme.core.model import Broker

CONNECT_TIMEOUT_S: Final = 4.0
WRITE_TIMEOUT_S: Final = 2.0

#: After so long a silence Redis is asked for a sign of life, and given as long again, in seconds.
SILENCE_S: Final = 10.0

#: Messages that wait for their turn, and their bytes together; then the oldest go.
WAITING_MAX: Final = 5_000
WAITING_BYTES_MAX: Final = 16 * 1024 * 1024

RECEIVED_BYTES_MAX: Final = 64 * 1024

#: So much of a turn goes at most to what comes; the rest is for what waits.
RECEIVING_PART: Final = 0.5

SCHEMES: Final = frozenset({"redis", "rediss"})

_MESSAGE: Final = b"pmessage"
_MESSAGE_ELEMENTS: Final = 4


class Subscription:
    """A subscription to the events on one Redis database.

    Args:
        broker: The broker.
        name: What the connection is called there.
        intake: Takes the messages.
        turns: When they may be taken.
    """

    def __init__(self, broker: Broker, name: str, intake: Intake, turns: Turns) -> None:
        self._broker = broker
        self._name = name
        self._intake = intake
        self._turns = turns
        self._connection: Any = None
        self._replies = Replies()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_asked = False

    def open(self) -> None:
        """Connect and subscribe; raises what the client raises."""
        pool = redis.ConnectionPool.from_url(
            _client_url(self._broker),
            protocol=2,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=CONNECT_TIMEOUT_S,
            client_name=self._name,
        )
        self._connection = pool.make_connection()
        self._connection.connect()
        topic = f"/{self._broker.virtual_host.strip('/') or 0}.celeryev"
        # The second is for workers that were told to publish without patterns.
        self._connection.send_command("PSUBSCRIBE", f"{topic}/*", topic)

    def turn(self) -> None:
        """Wait for messages, and take what the turn allows; raises if the connection is lost."""
        self._turns.wait()
        received = b"" if self._waiting else self._receive(SILENCE_S)
        ends_at = self._turns.begin()
        try:
            self._sort(received)
            self._empty_socket(self._turns.part(ends_at, RECEIVING_PART))
            self._empty_waiting(ends_at)
        finally:
            self._turns.end()

    def close(self) -> None:
        """Disconnect; what waits is left out."""
        self._intake.shed(len(self._waiting))
        self._waiting.clear()
        self._waiting_bytes = 0
        self._replies = Replies()
        self._is_asked = False
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    # --- what comes -----------------------------------------------------------------------------

    def _receive(self, timeout_s: float) -> bytes:
        """Return what comes within the time, nothing if nothing does."""
        sock = self._connection._sock  # noqa: SLF001 - as kombu does; there is no other way to it
        sock.settimeout(timeout_s)
        try:
            data: bytes = sock.recv(RECEIVED_BYTES_MAX)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        except TimeoutError:
            self._ask_for_life(sock)
            return b""
        if not data:
            raise ConnectionError("it closed the connection")
        self._is_asked = False
        return data

    def _ask_for_life(self, sock: Any) -> None:
        if self._is_asked:
            raise TimeoutError(f"it says nothing for {2 * SILENCE_S:g} s")
        self._is_asked = True
        sock.settimeout(WRITE_TIMEOUT_S)
        sock.sendall(b"PING\r\n")

    def _empty_socket(self, until: float) -> None:
        while not self._turns.is_over(until):
            data = self._receive(0.0)
            if not data:
                return
            self._sort(data)

    def _sort(self, data: bytes) -> None:
        """Put messages into the row of those that wait; the oldest go where there are too many."""
        left_out = self._replies.left_out
        replies = self._replies.take(data)
        shed = self._replies.left_out - left_out
        for reply in replies:
            if len(reply) == _MESSAGE_ELEMENTS and reply[0] == _MESSAGE:
                self._waiting.append(reply[-1])
                self._waiting_bytes += len(reply[-1])
        while len(self._waiting) > WAITING_MAX or self._waiting_bytes > WAITING_BYTES_MAX:
            self._waiting_bytes -= len(self._waiting.popleft())
            shed += 1
        self._intake.shed(shed)

    def _empty_waiting(self, ends_at: float) -> None:
        while self._waiting:
            data = self._waiting.popleft()
            self._waiting_bytes -= len(data)
            self._intake.envelope(data)
            if self._turns.is_over(ends_at):
                return


def _client_url(broker: Broker) -> str:
    """Return a URL as the client reads it: with a number behind the host."""
    parts = urlsplit(broker.url)
    return urlunsplit(parts._replace(path=f"/{broker.virtual_host.strip('/') or 0}"))
