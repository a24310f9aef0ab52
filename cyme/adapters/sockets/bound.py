"""The sockets of a branch while they are open."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Collection, Sequence
from typing import Protocol

import gevent
import zmq
from gevent.threadpool import ThreadPool

from cyme.adapters.sockets.addresses import Addresses
from cyme.adapters.sockets.channel import FRAMES_MAX, Channel
from cyme.adapters.sockets.curve import Admission, Keys, Refusals
from cyme.adapters.sockets.dealers import Dealers
from cyme.adapters.sockets.endpoints import endpoint_of
from cyme.adapters.sockets.listener import Listener
from cyme.adapters.sockets.options import Context, Socket, new_socket
from cyme.adapters.sockets.traffic import Traffic
from cyme.core.ports import Inlet
from cyme.errors import AddressUnavailable

logger = logging.getLogger(__name__)

TEND_PERIOD_S = 1.0

#: What an end takes beyond what is given to messages on their way.
_END_S = 1.0

#: What a link begins with: a peer of the ROUTER socket. Those of DEALERs begin with ``D``.
_ROUTER_LINK = b"R"


class _Part(Protocol):
    """What reads a socket in a greenlet of its own."""

    def start(self) -> None: ...

    def join(self, timeout_s: float) -> None: ...


class Bound:
    """All sockets of a branch and the greenlets that read them.

    PUB is not XPUB: nobody asks who subscribes, and XPUB keeps whatever subscribers send until
    it is read.

    Args:
        host: A numeric address to bind.
        port: The port of the ROUTER socket; the PUB socket takes the one after it. With 0 both
            take free ones.
        keys: Those of the cluster.
        traffic: Where messages are counted.

    Attributes:
        ports: Those of the ROUTER and of the PUB socket.

    Raises:
        AddressUnavailable: A socket cannot be bound.
    """

    def __init__(self, host: str, port: int, *, keys: Keys, traffic: Traffic) -> None:
        self._traffic = traffic
        self._inlet: Inlet | None = None
        self._tending: gevent.Greenlet | None = None
        self._context = zmq.Context()
        router, published = (_bindable(self._context, kind, keys) for kind in (zmq.ROUTER, zmq.PUB))
        router.router_handover = True
        router.router_mandatory = True
        try:
            self.ports = (_bind(router, host, port), _bind(published, host, port and port + 1))
        except AddressUnavailable:
            self._context.destroy(linger=0)
            raise
        self._admission = Admission(self._context, keys)
        self._refusals = [Refusals(self._context, bound, traffic) for bound in (router, published)]
        self._router = Channel(
            router, self._routed, traffic=traffic, name="ROUTER", frames_max=1 + FRAMES_MAX
        )
        self._published = Channel(published, self._heard, traffic=traffic, name="PUB")
        self._addresses = Addresses(self._aim)
        self._listener = Listener(
            self._context, keys, self._addresses, self._heard, traffic=traffic
        )
        self._dealers = Dealers(
            self._context, keys, self._addresses, self._came_back, traffic=traffic
        )
        # PUB is not read.
        self._parts: Sequence[_Part] = [
            self._admission,
            *self._refusals,
            self._router,
            self._listener,
        ]

    def start(self, inlet: Inlet) -> None:
        """Begin to read."""
        self._inlet = inlet
        for part in self._parts:
            part.start()
        self._tending = gevent.spawn(self._tend)

    def stop(self, timeout_s: float) -> None:
        """Close all sockets; what was sent has ``timeout_s`` to go."""
        deadline = time.monotonic() + timeout_s
        if self._tending is not None:
            self._tending.kill(timeout=_END_S)
        self._addresses.stop()
        for refusals in self._refusals:
            refusals.close()
        self._listener.close()
        self._dealers.close(timeout_s)
        for channel in (self._router, self._published):
            channel.close(timeout_s)
        self._admission.close()
        for part in self._parts:
            part.join(_END_S)
        self._end_context(deadline + _END_S)

    def publish(self, frames: Sequence[bytes]) -> bool:
        """Publish a message; return whether the socket took it."""
        return self._published.send(frames)

    def send(self, endpoint: str, frames: Sequence[bytes]) -> None:
        """Send a message to the ROUTER socket at an endpoint."""
        self._dealers.send(endpoint, frames)

    def reply(self, link: bytes, frames: Sequence[bytes]) -> None:
        """Send a message back by the connection that one came by."""
        if not link.startswith(_ROUTER_LINK):
            self._dealers.reply(link, frames)
        elif not self._router.send([link[len(_ROUTER_LINK) :], *frames]):
            self._traffic.dropped += 1

    def listen(self, endpoints: Collection[str]) -> None:
        """Listen to the PUB sockets at these endpoints, and to no others."""
        self._listener.listen(endpoints)

    def _routed(self, frames: Sequence[bytes]) -> None:
        if self._inlet is not None and len(frames) > 1:
            self._inlet.on_directed(_ROUTER_LINK + frames[0], frames[1:])

    def _came_back(self, link: bytes, frames: Sequence[bytes]) -> None:
        if self._inlet is not None:
            self._inlet.on_directed(link, frames)

    def _heard(self, frames: Sequence[bytes]) -> None:
        if self._inlet is not None:
            self._inlet.on_published(frames)

    def _tend(self) -> None:
        while True:
            gevent.sleep(TEND_PERIOD_S)
            try:
                self._addresses.tend()
                self._dealers.tend()
                self._listener.aim()
            except Exception:
                logger.exception("tending the sockets failed; it goes on")

    def _aim(self) -> None:
        self._dealers.aim()
        self._listener.aim()

    def _end_context(self, deadline: float) -> None:
        """Wait in a thread until ZeroMQ has ended: by itself that would hold up the process."""
        threads = ThreadPool(1)
        ended = threads.spawn(self._context.term)
        ended.wait(max(0.0, deadline - time.monotonic()))
        if ended.ready():
            threads.kill()
        else:
            logger.warning("the sockets of the cluster could not be closed in time")


def _bindable(context: Context, kind: int, keys: Keys) -> Socket:
    socket = new_socket(context, kind)
    keys.secure_server(socket)
    return socket


def _bind(socket: Socket, host: str, port: int) -> int:
    """Bind a socket and return its port.

    Raises:
        AddressUnavailable: It cannot; the message says what to do.
    """
    socket.ipv6 = ":" in host
    address = endpoint_of(host, port) if port else endpoint_of(host, 0).removesuffix("0") + "*"
    try:
        socket.bind(address)
    except zmq.ZMQError as exc:
        raise AddressUnavailable(_why_not_bound(endpoint_of(host, port), exc)) from exc
    bound = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(bound, bytes), "it is a text"
    return int(bound.rpartition(b":")[2])


def _why_not_bound(address: str, error: zmq.ZMQError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"{address} is in use by another program, and other branches are to reach this one "
                "there. Choose another port with --bind (the cluster takes two in a row), or stop "
                "that program."
            )
        case errno.EACCES:
            return (
                f"{address} needs privileges that this user lacks. Choose a port over 1023 with "
                "--bind."
            )
        case errno.EADDRNOTAVAIL | errno.ENODEV:
            return f"{address} is not of this machine. Name an address of its own with --bind."
        case _:
            return f"{address} cannot be bound for the cluster ({error.strerror or error})."
