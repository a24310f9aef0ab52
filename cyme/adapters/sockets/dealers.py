"""DEALER sockets: the calling ends of connections to the ROUTER sockets of other branches.

A message waits for its connection a short while and no longer: ZeroMQ by itself would keep it
until the peer is back, be that an hour later, and a call would be performed that nobody waits
for.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence

import zmq

from cyme.adapters.sockets.addresses import Addresses
from cyme.adapters.sockets.channel import Channel
from cyme.adapters.sockets.curve import Keys
from cyme.adapters.sockets.endpoints import parsed
from cyme.adapters.sockets.options import Context, Socket, connect, new_socket
from cyme.adapters.sockets.traffic import Seldom, Traffic

logger = logging.getLogger(__name__)

#: Connections at a time. An answer comes back by the connection of its question, so there have to
#: be more than branches that are asked at once.
DEALERS_MAX = 256
#: A connection that was not used for so long is closed.
IDLE_S = 60.0

#: What a message waits for its connection at most, and how many may, for one connection.
WAIT_S = 3.0
WAITING_MAX = 64
WAITING_BYTES_MAX = 2 * 1024 * 1024

#: What was sent by a connection that gives way to another has that long to go.
_LINGER_S = 1.0
#: What the greenlets of closed connections have to end, which they do at once.
_END_S = 1.0
_WARN_PERIOD_S = 60.0

#: Takes a message that came by a connection, and the link of that.
TakeDirected = Callable[[bytes, Sequence[bytes]], None]


class Dealer:
    """A connection to the ROUTER socket at one endpoint.

    Args:
        socket: A DEALER socket, not yet connected.
        link: What the connection is called where an answer is to go back by it.
        take: Takes a message in, with the link.
        traffic: Where messages are counted.
    """

    def __init__(self, socket: Socket, link: bytes, take: TakeDirected, traffic: Traffic) -> None:
        # Room there is only while a connection stands, so nothing old is sent after a break.
        socket.immediate = True
        self._socket = socket
        self._traffic = traffic
        self._take = take
        self._target: str | None = None
        self._waiting: deque[tuple[float, Sequence[bytes]]] = deque()
        self._waiting_bytes = 0
        self._channel = Channel(
            socket, self._took, traffic=traffic, name="a DEALER", on_change=self._send_waiting
        )
        self.link = link
        self.used_at = time.monotonic()

    def start(self) -> None:
        """Begin to read."""
        self._channel.start()

    def aim(self, target: str | None) -> None:
        """Connect to a numeric endpoint, and no more to the one before; None changes nothing."""
        if target is None or target == self._target:
            return
        if self._target is not None:
            self._socket.disconnect(self._target)
        self._target = target
        connect(self._socket, target)

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message, when the connection stands."""
        self.used_at = time.monotonic()
        self._send_waiting()
        if not self._waiting and self._channel.send(frames):
            return
        self._waiting.append((self.used_at + WAIT_S, frames))
        self._waiting_bytes += _size(frames)
        while len(self._waiting) > WAITING_MAX or self._waiting_bytes > WAITING_BYTES_MAX:
            self._next_waiting()
            self._traffic.dropped += 1

    def expire(self, now: float) -> None:
        """Drop what has waited too long."""
        while self._waiting and self._waiting[0][0] < now:
            self._next_waiting()
            self._traffic.dropped += 1

    def close(self, linger_s: float) -> None:
        """Close the connection; what was sent has ``linger_s`` to go."""
        self.expire(float("inf"))
        self._channel.close(linger_s)

    def join(self, timeout_s: float) -> None:
        """Wait for the greenlet to end."""
        self._channel.join(timeout_s)

    def _send_waiting(self) -> None:
        self.expire(time.monotonic())
        while self._waiting and self._channel.send(self._waiting[0][1]):
            self._next_waiting()

    def _next_waiting(self) -> None:
        self._waiting_bytes -= _size(self._waiting.popleft()[1])

    def _took(self, frames: Sequence[bytes]) -> None:
        self.used_at = time.monotonic()
        self._take(self.link, frames)


class Dealers:
    """The connections to others, as many as are used.

    Args:
        context: Of the sockets.
        keys: Those of the cluster.
        addresses: Knows where endpoints are.
        take: Takes messages in.
        traffic: Where messages are counted.
    """

    def __init__(
        self,
        context: Context,
        keys: Keys,
        addresses: Addresses,
        take: TakeDirected,
        traffic: Traffic,
    ) -> None:
        self._context = context
        self._keys = keys
        self._addresses = addresses
        self._take = take
        self._traffic = traffic
        self._nonce = secrets.token_bytes(32)
        self._count = 0
        self._dealers: dict[str, Dealer] = {}
        self._by_link: dict[bytes, Dealer] = {}
        self._warning = Seldom(_WARN_PERIOD_S)

    def __len__(self) -> int:
        return len(self._dealers)

    def send(self, endpoint: str, frames: Sequence[bytes]) -> None:
        """Send a message to an endpoint, by a new connection if there is none."""
        dealer = self._dealers.get(endpoint) or self._opened(endpoint)
        if dealer is None:
            self._traffic.dropped += 1
        else:
            dealer.send(frames)

    def reply(self, link: bytes, frames: Sequence[bytes]) -> None:
        """Send a message by a connection; if that is closed, nothing happens."""
        dealer = self._by_link.get(link)
        if dealer is None:
            self._traffic.dropped += 1
        else:
            dealer.send(frames)

    def tend(self) -> None:
        """Close what idles, and drop what has waited too long; to be called every second."""
        now = time.monotonic()
        for endpoint, dealer in list(self._dealers.items()):
            if now > dealer.used_at + IDLE_S:
                self._close(endpoint, 0.0)
            else:
                dealer.expire(now)
        self.aim()

    def aim(self) -> None:
        """Follow endpoints whose addresses have changed."""
        for endpoint, dealer in self._dealers.items():
            dealer.aim(self._addresses.of(endpoint))

    def close(self, linger_s: float) -> None:
        """Close all."""
        closed = list(self._dealers.values())
        for endpoint in list(self._dealers):
            self._close(endpoint, linger_s)
        for dealer in closed:
            dealer.join(_END_S)

    def _opened(self, endpoint: str) -> Dealer | None:
        if parsed(endpoint) is None:
            if self._warning.due():
                logger.warning("%r is no endpoint that can be connected to", endpoint)
            return None
        if len(self._dealers) >= DEALERS_MAX:
            self._close(self._least_used(), _LINGER_S)
        try:
            socket = new_socket(self._context, zmq.DEALER)
        except zmq.ZMQError as exc:
            if self._warning.due():
                logger.warning("no connection to %s can be opened: %s", endpoint, exc)
            return None
        self._keys.secure_client(socket)
        socket.routing_id = self._routing_id(endpoint)
        self._count += 1
        link = b"D%d" % self._count
        dealer = Dealer(socket, link, self._take, self._traffic)
        dealer.aim(self._addresses.of(endpoint))
        dealer.start()
        self._dealers[endpoint] = self._by_link[link] = dealer
        return dealer

    def _routing_id(self, endpoint: str) -> bytes:
        """Return what the peer knows this connection by.

        It is kept over breaks of the connection, so that answers still arrive, and differs
        between endpoints, since two may lead to the same ROUTER.
        """
        return b"C" + hashlib.blake2b(endpoint.encode(), key=self._nonce, digest_size=16).digest()

    def _least_used(self) -> str:
        return min(self._dealers, key=lambda endpoint: self._dealers[endpoint].used_at)

    def _close(self, endpoint: str, linger_s: float) -> None:
        dealer = self._dealers.pop(endpoint)
        del self._by_link[dealer.link]
        dealer.close(linger_s)


def _size(frames: Sequence[bytes]) -> int:
    return sum(map(len, frames))
