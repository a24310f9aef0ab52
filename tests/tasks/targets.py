"""HTTP servers that answer as a test says, byte for byte."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

RequestBytes = bytes
Answer = Callable[[socket.socket, RequestBytes], object]

TIMEOUT_S = 10.0


def answering(*answers: bytes) -> Answer:
    """Return one answer after the other, the last one again and again."""
    left = list(answers)

    def answer(sock: socket.socket, _: bytes) -> None:
        sock.sendall(left.pop(0) if len(left) > 1 else left[0])

    return answer


def response(content: bytes = b"", status: str = "200 OK", headers: tuple[str, ...] = ()) -> bytes:
    """Return the bytes of a response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def redirect(location: str, status: str = "302 Found") -> bytes:
    """Return the bytes of a redirect."""
    return response(status=status, headers=(f"Location: {location}",))


class RawTarget:
    """A server that takes one request a connection, and remembers its bytes."""

    def __init__(
        self,
        answer: Answer,
        *,
        address: str,
        port: int,
        context: ssl.SSLContext | None,
        reads_bodies: bool,
    ) -> None:
        self._reads_bodies = reads_bodies
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen(64)
        self._answer = answer
        self._context = context
        self.port = int(self._listener.getsockname()[1])
        self.authority = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        self.url = f"http://{self.authority}"
        self.requests: list[bytes] = []

    def serve(self) -> None:
        """Answer until closed."""
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(TIMEOUT_S)
            with suppress(OSError), sock:
                if self._context is not None:
                    sock = self._context.wrap_socket(sock, server_side=True)
                self.requests.append(_read_request(sock, reads_body=self._reads_bodies))
                self._answer(sock, self.requests[-1])
                sock.close()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _read_request(sock: socket.socket, *, reads_body: bool) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        received = sock.recv(65536)
        if not received:
            raise ConnectionError("that was no request")
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    while reads_body and lengths and len(body) < lengths[0]:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def raw_target(
    answer: Answer,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    context: ssl.SSLContext | None = None,
    reads_bodies: bool = True,
) -> Iterator[RawTarget]:
    """Serve until the block ends."""
    target = RawTarget(
        answer, address=address, port=port, context=context, reads_bodies=reads_bodies
    )
    thread = Thread(target=target.serve, daemon=True)
    thread.start()
    try:
        yield target
    finally:
        target.close()
        thread.join(TIMEOUT_S)
