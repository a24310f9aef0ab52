"""One client's connection: reads with deadlines, and the body of a request.

A client that sends a byte a second must not hold a connection for ever, so every deadline here
is for the whole of a thing (a head, a body), never for one more byte of it. Nor must a client
that sends without a pause hold the process: gevent switches only where a socket has nothing to
read, so whoever has something again and again is made to wait for the others here. It waits by a
timer: a sleep of no time at all comes back up to fifty times before gevent looks at any timer.
"""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass
from typing import Any, Protocol

import gevent
from gevent.monkey import get_original

from cyme.api.problems import Refusal
from cyme.api.wire import find_head_end

_RECEIVE_BYTES = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

#: A chunk's size line, extensions included (RFC 9112, section 7.1).
_CHUNK_LINE_BYTES_MAX = 1024
_CHUNK_SIZE_DIGITS_MAX = 15
_TRAILER_LINES_MAX = 20

#: A chunk costs more than its bytes do, so a body may have so many of them, and one more for
#: every so many bytes.
CHUNKS_MAX = 8192
CHUNK_BYTES_LEAST = 256

#: After so many chunks the others get their turn.
_CHUNKS_A_TURN = 128

#: So long a turn of the others is waited for, in seconds: the event loop goes round once.
_MOMENT_S = 1e-6

#: A body that nobody read is swallowed up to here to keep the connection; beyond, it is closed.
_SWALLOWED_BYTES_MAX = 64 * 1024

#: Twice the largest body that is taken: who sends more may miss why it was refused.
_LINGERED_BYTES_MAX = 16 * 1024 * 1024

#: The system's own: it is asked without waiting.
_Poll: Any = get_original("select", "poll")

#: What says that the other end was closed; where the system has no name for that only an error.
_LEFT = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a connection waits for its client, each in seconds.

    Attributes:
        idle_s: For the first byte of the next request.
        head_s: For the whole head, from its first byte.
        body_s: For the whole body, from the first read of it.
        send_s: For the client to take a reply.
        linger_s: For the client to read the reply to a request that was not read to its end.
    """

    idle_s: float = 65.0
    head_s: float = 10.0
    body_s: float = 60.0
    send_s: float = 60.0
    linger_s: float = 2.0


class Socket(Protocol):
    """What a connection needs of a socket, plain or TLS."""

    def recv(self, size: int, /) -> bytes:
        """Receive at most ``size`` bytes; none at the end."""

    def sendall(self, data: bytes | bytearray, /) -> object:
        """Send all of ``data``."""

    def settimeout(self, seconds: float | None, /) -> None:
        """Set how long the other calls may take."""

    def fileno(self) -> int:
        """Return its descriptor."""

    def shutdown(self, how: int, /) -> None:
        """Close one or both directions."""

    def close(self) -> None:
        """Close it."""


class Connection:
    """Reads from a client with deadlines; keeps what came too early for the next request."""

    def __init__(self, sock: Socket, patience: Patience) -> None:
        self._socket = sock
        self._patience = patience
        self._buffer = bytearray()

    def read_head(self) -> bytes | None:
        """Return the next request's head, or None when the client has no further one.

        Raises:
            Refusal: The head is too long, malformed, or did not come in time.
            OSError: The connection broke.
        """
        buffer = self._buffer
        searched = 0
        deadline: float | None = None
        while True:
            if not searched:
                while buffer[:2] == b"\r\n":
                    del buffer[:2]
            if buffer:
                end = find_head_end(buffer, searched)
                if end >= 0:
                    head = bytes(buffer[:end])
                    del buffer[:end]
                    return head
                searched = len(buffer)
                if deadline is None:
                    deadline = time.monotonic() + self._patience.head_s
            try:
                piece = self._receive(deadline)
            except TimeoutError:
                if not buffer:
                    return None
                raise Refusal(408, "The request's head did not come in time.") from None
            if not piece:
                return None
            buffer += piece

    def read(self, size: int, deadline: float) -> bytes:
        """Return up to ``size`` bytes of the body, at least one.

        Raises:
            Refusal: The client sent no more, or not in time.
        """
        if not self._buffer:
            self._fill(deadline)
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece

    def read_line(self, size_max: int, deadline: float) -> bytes:
        """Return a line of a chunked body's framing, without its CR LF.

        Raises:
            Refusal: It is too long or malformed, or did not come in time.
        """
        while True:
            end = self._buffer.find(b"\n")
            if end > size_max or (end < 0 and len(self._buffer) > size_max):
                raise Refusal(400, "A line of the chunked body is too long.")
            if end >= 0:
                line = bytes(self._buffer[: end + 1])
                del self._buffer[: end + 1]
                if line[-2:] != b"\r\n" or b"\r" in line[:-2]:
                    raise Refusal(400, "The lines of a chunked body must end with CR LF.")
                return line[:-2]
            self._fill(deadline)

    def send(self, data: bytes | bytearray) -> None:
        """Send all of ``data``.

        Raises:
            OSError: The connection broke, or the client did not take it in time.
        """
        self._socket.settimeout(self._patience.send_s)
        self._socket.sendall(data)

    def is_left(self) -> bool:
        """Tell whether the client has closed its end: it waits for nothing more.

        A client that only says that it sends no more counts as well; clients of HTTP do not.
        """
        poll = _Poll()
        poll.register(self._socket.fileno(), _LEFT)
        return bool(poll.poll(0))

    def body_deadline(self) -> float:
        """Return the moment by which a body that begins now must be there."""
        return time.monotonic() + self._patience.body_s

    def give_way(self) -> None:
        """Let the others have their turn if this client has not waited for its reply."""
        if self._buffer:
            gevent.sleep(_MOMENT_S)

    def linger(self) -> None:
        """Let the client read its answer although it still sends: closing now would destroy it."""
        deadline = time.monotonic() + self._patience.linger_s
        left = _LINGERED_BYTES_MAX
        try:
            self._socket.shutdown(socket.SHUT_WR)
            while left > 0 and (piece := self._receive(deadline)):
                left -= len(piece)
                gevent.sleep(_MOMENT_S)
        except OSError:
            pass

    def _fill(self, deadline: float) -> None:
        try:
            piece = self._receive(deadline)
        except TimeoutError:
            raise Refusal(408, "The request's body did not come in time.") from None
        except OSError as exc:
            raise Refusal(400, "The connection broke within the request's body.") from exc
        if not piece:
            raise Refusal(400, "The request's body is shorter than it was said to be.")
        self._buffer += piece

    def _receive(self, deadline: float | None) -> bytes:
        left_s = self._patience.idle_s if deadline is None else deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)
        return self._socket.recv(_RECEIVE_BYTES)


class Body:
    """The body of one request, as WSGI's ``wsgi.input``.

    Args:
        connection: Where it comes from.
        content_length: Its bytes, or None when it is chunked.
        expects_continue: Whether the client waits for ``100 Continue`` before it sends it.
    """

    def __init__(
        self, connection: Connection, content_length: int | None, *, expects_continue: bool
    ) -> None:
        self._connection = connection
        self._chunked = content_length is None
        self._left = content_length or 0
        self._chunks = 0
        self._received = 0
        self._expects_continue = expects_continue
        self._deadline: float | None = None
        self._broken = False
        self.is_finished = content_length == 0

    def read(self, size: int | None = -1) -> bytes:
        """Return ``size`` bytes, fewer at the end, all there are when it is None or negative.

        Raises:
            Refusal: The body is malformed, broke off, or did not come in time.
        """
        left = -1 if size is None or size < 0 else size
        pieces: list[bytes] = []
        try:
            while left and not self.is_finished:
                piece = self._piece(left if left > 0 else _RECEIVE_BYTES)
                pieces.append(piece)
                if left > 0:
                    left -= len(piece)
        except Refusal:
            self._broken = True
            raise
        return b"".join(pieces)

    def readline(self, size: int = -1) -> bytes:
        """Return a line; here for WSGI's sake, which demands it."""
        line = bytearray()
        while size < 0 or len(line) < size:
            byte = self.read(1)
            line += byte
            if byte in {b"", b"\n"}:
                break
        return bytes(line)

    def readlines(self, hint: int = -1) -> list[bytes]:
        """Return all lines; here for WSGI's sake, which demands it."""
        return list(self)

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    @property
    def can_be_swallowed(self) -> bool:
        """Whether the next request can be reached by reading what is left of this one."""
        return self.is_finished or not (
            self._broken
            or self._chunked
            or self._expects_continue
            or self._left > _SWALLOWED_BYTES_MAX
        )

    def _discard(self) -> None:
        """Swallow the rest; pywsgi calls it once the application is done."""
        if self.can_be_swallowed:
            try:
                self.read()
            except Refusal:
                # The answer is on its way: what is left is to close the connection behind it.
                self._broken = True

    def _piece(self, size: int) -> bytes:
        if self._deadline is None:
            self._deadline = self._connection.body_deadline()
            if self._expects_continue:
                self._expects_continue = False
                self._invite()
        if self._chunked and not self._left:
            self._left = self._chunk_size(self._deadline)
            if not self._left:
                self._skip_trailers(self._deadline)
                self.is_finished = True
                return b""
        piece = self._connection.read(min(size, self._left), self._deadline)
        self._left -= len(piece)
        self._received += len(piece)
        if not self._left:
            if self._chunked:
                self._end_chunk(self._deadline)
            else:
                self.is_finished = True
        return piece

    def _invite(self) -> None:
        try:
            self._connection.send(_CONTINUE)
        except OSError as exc:
            raise Refusal(400, "The connection broke before the request's body.") from exc

    def _chunk_size(self, deadline: float) -> int:
        self._chunks += 1
        if self._chunks > CHUNKS_MAX + self._received // CHUNK_BYTES_LEAST:
            raise Refusal(413, "The chunked body has too many small chunks; send larger ones.")
        if not self._chunks % _CHUNKS_A_TURN:
            gevent.sleep(_MOMENT_S)
        line = self._connection.read_line(_CHUNK_LINE_BYTES_MAX, deadline)
        digits = line.split(b";")[0].rstrip(b" \t")
        if not digits or digits.strip(b"0123456789abcdefABCDEF"):
            raise Refusal(400, "The chunked body has a chunk without a size.")
        if len(digits) > _CHUNK_SIZE_DIGITS_MAX:
            raise Refusal(413, "The chunked body has a chunk that is too large.")
        return int(digits, 16)

    def _end_chunk(self, deadline: float) -> None:
        if self._connection.read_line(_CHUNK_LINE_BYTES_MAX, deadline):
            raise Refusal(400, "The chunked body has a chunk that is longer than its size.")

    def _skip_trailers(self, deadline: float) -> None:
        for _ in range(_TRAILER_LINES_MAX):
            if not self._connection.read_line(_CHUNK_LINE_BYTES_MAX, deadline):
                return
        raise Refusal(400, "The chunked body has too many trailers.")
