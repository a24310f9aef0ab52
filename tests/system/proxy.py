"""A TCP proxy in front of a broker, which can be cut and which can hang."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

CHUNK_BYTES = 65536
CONNECT_TIMEOUT_S = 5.0


class Proxy:
    """Passes bytes to and fro, as long as it is let."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._passing = Event()
        self._passing.set()
        self._pairs: list[socket.socket] = []
        self._closed = False
        self._refusing = False

    def start(self) -> None:
        self._listener.listen(128)
        Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections and refuse new ones: the broker is away."""
        self._refusing = True
        self._end_all()

    def hang(self) -> None:
        """Accept everything and pass nothing on: the broker hangs."""
        self._passing.clear()

    def mend(self) -> None:
        """Be a good network again."""
        self._refusing = False
        self._passing.set()

    def close(self) -> None:
        self._closed = True
        self._listener.close()
        self._passing.set()
        self._end_all()

    def _end_all(self) -> None:
        pairs, self._pairs = self._pairs, []
        for end in pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                near.close()
                continue
            try:
                far = socket.create_connection(self._upstream, CONNECT_TIMEOUT_S)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self._pairs += [near, far]
            Thread(target=self._pass, args=(near, far), daemon=True).start()
            Thread(target=self._pass, args=(far, near), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                self._passing.wait()
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_to(host: str, port: int) -> Iterator[Proxy]:
    """Run a proxy to a server until the block ends."""
    proxy = Proxy((host, port))
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.close()
