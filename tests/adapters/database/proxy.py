"""A server that can be taken away: a relay before it that breaks and mends."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit, urlunsplit

import gevent
from gevent.event import Event
from gevent.server import StreamServer

CHUNK_BYTES = 65536


class Relay:
    """Passes bytes on between clients and a server, as long as it likes to."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._flowing = Event()
        self._flowing.set()
        self._pipes: set[socket.socket] = set()
        self._server = self._listen(0)
        self._port = self._server.server_port
        self.url = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{self._port}"))

    def go_away(self) -> None:
        """End all connections and take no more."""
        self._server.stop()
        for pipe in list(self._pipes):
            pipe.shutdown(socket.SHUT_RDWR)

    def come_back(self) -> None:
        """Take connections again."""
        self._server = self._listen(self._port)

    def hang(self) -> None:
        """Pass nothing on, and end nothing."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass on what has gathered."""
        self._flowing.set()

    def close(self) -> None:
        self.flow()
        self.go_away()

    def _listen(self, port: int) -> StreamServer:
        server = StreamServer(("127.0.0.1", port), self._serve)
        server.start()
        return server

    def _serve(self, client: socket.socket, _address: object) -> None:
        with socket.create_connection(self._target) as upstream, client:
            pipes = {client, upstream}
            self._pipes |= pipes
            try:
                ways = [(client, upstream), (upstream, client)]
                gevent.joinall([gevent.spawn(self._pass, *way) for way in ways], count=1)
            finally:
                self._pipes -= pipes

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(CHUNK_BYTES):
                self._flowing.wait()
                target.sendall(data)
        except OSError:
            return
