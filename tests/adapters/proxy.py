"""A broker that stops to answer whenever a test wants it to."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit, urlunsplit

import gevent
from gevent.event import Event
from gevent.pool import Group


class FreezingProxy:
    """Stands before a server: passes everything on, or accepts everything and answers nothing."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._flows = Event()
        self._flows.set()
        self._greenlets = Group()
        self._sockets: list[socket.socket] = []
        login, at, _ = parts.netloc.rpartition("@")
        port = self._listener.getsockname()[1]
        self.url = urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{port}"))

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return len(self._sockets) // 2

    @property
    def open_connections(self) -> int:
        """How many connections nobody has ended yet."""
        return sum(end.fileno() >= 0 for end in self._sockets[::2])

    def start(self) -> None:
        self._greenlets.spawn(self._accept)

    def freeze(self) -> None:
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        """End all connections; new ones are accepted."""
        for end in self._sockets:
            end.close()

    def stop(self) -> None:
        self._greenlets.kill()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            self._greenlets.spawn(self._pass_on, client, server)
            self._greenlets.spawn(self._pass_on, server, client)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._flows.wait()
                target.sendall(data)
        except OSError:
            pass
        finally:
            gevent.spawn(target.close)
