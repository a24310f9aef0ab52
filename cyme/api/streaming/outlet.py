"""One client's end of a stream: writes without ever waiting, and notices when it is gone.

Laws:

* nothing here switches greenlets, so whoever writes to a thousand clients is not held up by one;
* bytes are shared between clients, never copied, and what waits for one has a bound; beyond it
  whole frames are left out and counted, and who takes nothing for long is let go;
* what has begun to be sent is sent to its end: frames never mix.
"""

from __future__ import annotations

import _socket
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

#: Bytes that wait for one client at most, besides those that the kernel holds for it.
WAITING_BYTES_MAX = 128 * 1024
KERNEL_BYTES = 64 * 1024

#: A client that takes nothing for so long, in seconds, while something waits is let go.
STALLED_S_MAX = 30.0

#: A client that lost so many frames since it took all that waited is let go: what it has is of
#: no use any more, and it learns more by coming back.
DROPPED_MAX = 5_000

#: Bytes that a client may send after its request, which nobody reads, before it is let go.
HEARD_BYTES_MAX = 64 * 1024

_READ, _WRITE = 1, 2
_RECEIVE_BYTES = 4096


class Outlet:
    """Writes frames to one client.

    Args:
        sock: Its socket, plain or TLS; the outlet owns it from now on.
        on_gone: Called once when the client is gone, or was let go.
        dropped_frame: Makes the frame that tells how many were left out.
    """

    __slots__ = (
        "_dropped",
        "_dropped_frame",
        "_heard",
        "_on_gone",
        "_reading",
        "_sent",
        "_socket",
        "_stalled_since",
        "_waiting",
        "_waiting_bytes",
        "_writing",
        "is_open",
    )

    def __init__(
        self,
        sock: Any,
        on_gone: Callable[[], None],
        dropped_frame: Callable[[int], bytes],
    ) -> None:
        self._socket = _unblocked(sock)
        self._on_gone = on_gone
        self._dropped_frame = dropped_frame
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._sent = 0  # of the first that waits
        self._dropped = 0
        self._heard = 0
        self._stalled_since = 0.0
        self.is_open = True
        loop = gevent.get_hub().loop
        number = self._socket.fileno()
        self._writing: Any = None
        self._reading: Any = loop.io(number, _READ)
        self._reading.start(self._listen)

    def push(self, frames: bytes, count: int = 1) -> None:
        """Send frames, now or when the client takes them.

        Args:
            frames: Whole frames.
            count: How many events they tell of.
        """
        if not self.is_open:
            return
        if self._waiting and self._is_beyond_hope():
            self._gone()
            return
        if self._waiting and self._waiting_bytes + len(frames) > WAITING_BYTES_MAX:
            self._dropped += count
            return
        self._waiting.append(frames)
        self._waiting_bytes += len(frames)
        if self._writing is None:
            self._flush()

    def lose(self, count: int) -> None:
        """Tell the client that events were lost before they came here."""
        self._dropped += count
        if not self._waiting:
            self._tell_dropped()

    def close(self) -> None:
        """End the connection; ``on_gone`` is not called."""
        if not self.is_open:
            return
        self.is_open = False
        for watcher in (self._reading, self._writing):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._reading = self._writing = None
        self._waiting.clear()
        self._socket.close()

    # --- sending --------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Send what waits, as far as the client takes it."""
        try:
            self._send_waiting()
        except OSError:
            self._gone()
            return
        if not self._waiting and self._dropped:
            self._tell_dropped()
        self._watch_writing()

    def _send_waiting(self) -> None:
        while self._waiting:
            first = self._waiting[0]
            sent = self._send(memoryview(first)[self._sent :] if self._sent else first)
            if not sent:
                return
            self._stalled_since = 0.0
            self._sent += sent
            if self._sent < len(first):
                continue
            self._waiting.popleft()
            self._waiting_bytes -= len(first)
            self._sent = 0

    def _send(self, data: bytes | memoryview) -> int:
        """Return how many bytes were sent; 0 when the client takes none now."""
        try:
            return int(self._socket.send(data))
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def _watch_writing(self) -> None:
        """Go on when the client takes more, if there is more."""
        if not self.is_open:
            return
        if self._waiting:
            self._stalled_since = self._stalled_since or time.monotonic()
        if self._waiting and self._writing is None:
            self._writing = gevent.get_hub().loop.io(self._socket.fileno(), _WRITE)
            self._writing.start(self._flush)
        elif not self._waiting and self._writing is not None:
            self._writing.stop()
            self._writing.close()
            self._writing = None

    def _is_beyond_hope(self) -> bool:
        if self._dropped > DROPPED_MAX:
            return True
        return time.monotonic() - self._stalled_since > STALLED_S_MAX

    def _tell_dropped(self) -> None:
        frame, self._dropped = self._dropped_frame(self._dropped), 0
        self.push(frame)

    # --- hearing --------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Notice that the client is gone; what it sends besides means nothing."""
        try:
            piece = self._socket.recv(_RECEIVE_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            piece = b""
        self._heard += len(piece)
        if not piece or self._heard > HEARD_BYTES_MAX:
            self._gone()

    def _gone(self) -> None:
        if self.is_open:
            self.close()
            self._on_gone()


def _unblocked(sock: Any) -> Any:
    """Return a socket that neither waits nor lets greenlets switch.

    Of a plain one the system's own is taken over, which is a fraction of the size of gevent's.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
    if hasattr(sock, "pending"):  # TLS
        sock.settimeout(0.0)
        return sock
    plain = _socket.socket(fileno=sock.detach())
    plain.setblocking(False)
    return plain
