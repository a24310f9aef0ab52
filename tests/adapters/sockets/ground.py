"""Branches that only have sockets, and peers that are none."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Sequence

import gevent
import psutil
import zmq

from cyme.adapters.sockets import ZmqLinks
from cyme.adapters.sockets.curve import Keys
from cyme.adapters.sockets.options import Context, Socket
from tests.waiting import eventually

SECRET = b"a secret that is long enough for it"

#: A connection that has not been given up by this end; the other one may have.
CONNECTED = {psutil.CONN_ESTABLISHED, psutil.CONN_CLOSE_WAIT}


class Recording:
    """An inlet that keeps what came; it answers ``ping`` with ``pong``."""

    def __init__(self, links: ZmqLinks) -> None:
        self._links = links
        self.published: list[Sequence[bytes]] = []
        self.directed: list[tuple[bytes, Sequence[bytes]]] = []
        self.found: list[str] = []

    @property
    def messages(self) -> list[Sequence[bytes]]:
        return [frames for _, frames in self.directed]

    def on_published(self, frames: Sequence[bytes]) -> None:
        self.published.append(list(frames))

    def on_directed(self, link: bytes, frames: Sequence[bytes]) -> None:
        self.directed.append((link, list(frames)))
        if frames[0] == b"ping":
            self._links.reply(link, [b"pong", *frames[1:]])

    def on_found(self, endpoint: str) -> None:
        self.found.append(endpoint)


class Branch:
    def __init__(self, links: ZmqLinks) -> None:
        self.links = links
        self.inlet = Recording(links)

    def hears(self, *others: Branch) -> None:
        """Listen to others, and wait until what they publish arrives."""
        self.links.listen([other.links.beats_at for other in others])
        for other in others:
            word = secrets.token_bytes(8)

            def arrives(other: Branch = other, word: bytes = word) -> bool:
                other.links.publish([word])
                return [word] in self.inlet.published

            eventually(arrives)


Branches = Callable[..., Branch]


class RawPeer:
    """A ZeroMQ socket that somebody else opened; what it does never waits."""

    def __init__(self, kind: int, endpoint: str, *, routing_id: bytes = b"") -> None:
        self._context: Context = zmq.Context()
        self.socket: Socket = self._context.socket(kind)
        self.socket.linger = 0
        if routing_id:
            self.socket.routing_id = routing_id
        if kind == zmq.SUB:
            self.socket.subscribe(b"")
        self._endpoint = endpoint

    def with_keys(self, server: Keys, own: Keys) -> RawPeer:
        self.socket.curve_serverkey = server.public
        self.socket.curve_publickey = own.public
        self.socket.curve_secretkey = own.private
        return self

    def connect(self) -> RawPeer:
        self.socket.connect(self._endpoint)
        return self

    def received(self) -> list[bytes]:
        """Return a message, an empty one if there is none."""
        try:
            return self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return []

    def close(self) -> None:
        self._context.destroy(linger=0)


class Watch:
    """Measures how long others on the hub wait for their turn, and how the process grows.

    Attributes:
        late_s: How late a greenlet was woken at most; a busy machine adds to it.
        busy_s: How long the hub computed at most until it was woken; whatever else is busy.
        grown_mib: By how much the process was larger at most than in the beginning.
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._memory = self._process.memory_info().rss
        self._greenlet: gevent.Greenlet | None = None
        self.late_s = 0.0
        self.busy_s = 0.0
        self.grown_mib = 0.0

    def __enter__(self) -> Watch:
        self._greenlet = gevent.spawn(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._greenlet is not None
        self._greenlet.kill()

    def _look(self) -> None:
        period_s = 0.01
        while True:
            began, computed = time.monotonic(), time.thread_time()
            gevent.sleep(period_s)
            self.busy_s = max(self.busy_s, time.thread_time() - computed)
            self.late_s = max(self.late_s, time.monotonic() - began - period_s)
            grown = (self._process.memory_info().rss - self._memory) / 2**20
            self.grown_mib = max(self.grown_mib, grown)


def is_connected_to(endpoint: str) -> bool:
    """Tell whether a socket of this process has a connection to an endpoint."""
    port = int(endpoint.rpartition(":")[2])
    return any(
        each.raddr and each.raddr.port == port and each.status in CONNECTED
        for each in psutil.Process().net_connections("tcp")
    )


def free_ports() -> int:
    """Return a port that is free, as is the one after it."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
