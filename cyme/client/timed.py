"""A connection whose answers are read by a deadline, however slowly the bytes come."""

from __future__ import annotations

import io
import socket
import time
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from select import select
from typing import TYPE_CHECKING, Any

from cyme.client.messages import Deadline

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: A branch closes a connection that was silent for longer than this.
IDLE_S_MAX = 20.0

_PART_BYTES = 64 * 1024


class TimedConnection(HTTPConnection):
    """A connection whose answers are read by a deadline."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.deadline = Deadline(None)
        self.idle_since = 0.0
        self._is_answering = False
        #: What came over it and was not read yet.
        self.received: io.BufferedReader[Any] = io.BufferedReader(io.BytesIO())
        self.auto_open = 0
        self.response_class = partial(_Response, self)  # type: ignore[assignment] # it makes them

    def is_fresh(self) -> bool:
        """Tell whether the branch has not closed it, as far as one can know."""
        if self.sock is None or time.monotonic() - self.idle_since > IDLE_S_MAX:
            return False
        try:
            readable, _, _ = select([self.sock], [], [], 0)
        except ValueError:
            return False  # more descriptors than select() knows
        return not readable

    def getresponse(self) -> HTTPResponse:
        """Return the answer; the socket stays, be it the last one over it or not."""
        self._is_answering = True
        try:
            return super().getresponse()
        finally:
            self._is_answering = False

    def close(self) -> None:
        """Close it, unless its answer is still to be read: the base class closes too early."""
        if not self._is_answering:
            super().close()

    def take_buffered(self) -> bytes:
        """Return what has come behind the head of the answer and was not read yet."""
        self.deadline = Deadline(0.0)
        try:
            return self.received.read(len(self.received.peek()))
        except TimeoutError:
            return b""

    def receive(self, deadline: Deadline) -> bytes:
        """Return what comes next over the socket itself, nothing at its end."""
        left_s = deadline.left_s()
        if left_s == 0:
            raise TimeoutError
        self.sock.settimeout(left_s)
        return self.sock.recv(_PART_BYTES)

    def shut_down(self) -> None:
        """End it, so that whoever waits for what comes stops waiting."""
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


class _Response(HTTPResponse):
    """An answer that is read by its connection's deadline."""

    def __init__(self, connection: TimedConnection, sock: socket.socket, **options: Any) -> None:
        super().__init__(sock, **options)
        self.fp = io.BufferedReader(_Timed(self.fp, sock, connection), _PART_BYTES)
        connection.received = self.fp


class _Timed(io.RawIOBase):
    """The bytes of a socket, each read no longer than the deadline is away."""

    def __init__(
        self, file: io.BufferedIOBase, sock: socket.socket, connection: TimedConnection
    ) -> None:
        self._file = file
        self._socket = sock
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        left_s = self._connection.deadline.left_s()
        if left_s == 0:
            raise TimeoutError
        self._socket.settimeout(left_s)
        return self._socket.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
