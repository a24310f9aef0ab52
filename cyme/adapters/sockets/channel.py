"""One ZeroMQ socket that is read and written without ever blocking the process.

Laws of this file:

* Every operation is non-blocking. ``zmq.green`` is not used: its blocking operations kill one
  another where two greenlets meet on one socket, and nothing here blocks.
* One greenlet reads. Whoever has a message writes it at once, or it is dropped.
* ZeroMQ's descriptor tells of a change once, and any operation may swallow that. So the reader
  reads until there is nothing, and after every send the socket is asked what can be done now.
* A reader gives way at least every ``SLICE_S`` and every ``MESSAGES_MAX`` messages, since
  receiving what is there already never switches. It does so by a timer: ``sleep(0)`` comes back
  up to fifty times before gevent looks at timers and descriptors.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import gevent
import zmq
from gevent.event import Event

from cyme.adapters.sockets.options import FRAME_BYTES_MAX, Socket
from cyme.adapters.sockets.traffic import Seldom, Traffic

logger = logging.getLogger(__name__)

#: Frames of one message at most; what has more is thrown away frame by frame.
FRAMES_MAX = 8
#: Bytes of all frames of a message at most.
MESSAGE_BYTES_MAX = 2 * 1024 * 1024
#: What a ROUTER socket puts before a message, the name of its peer, is at most so long.
ROUTING_ID_BYTES_MAX = 255

#: A reader gives way to others after so long, or so many messages or frames.
SLICE_S = 0.01
MESSAGES_MAX = 64

_MOMENT_S = 1e-6
_RECEIVED_BYTES_MAX = MESSAGE_BYTES_MAX + ROUTING_ID_BYTES_MAX
_WARN_PERIOD_S = 60.0

Take = Callable[[Sequence[bytes]], None]


def is_sendable(frames: Sequence[bytes]) -> bool:
    """Tell whether a peer would take a message, going by its number of frames and bytes."""
    sizes = [len(frame) for frame in frames]
    return (
        0 < len(sizes) <= FRAMES_MAX
        and max(sizes) <= FRAME_BYTES_MAX
        and sum(sizes) <= MESSAGE_BYTES_MAX
    )


class Channel:
    """A socket and the greenlet that reads it.

    Args:
        socket: The socket; the channel closes it.
        take: Takes a message in; neither waits nor raises.
        traffic: Where messages are counted.
        name: What the socket is called in the log.
        frames_max: Frames of one message at most.
        on_change: Called when the socket may have come to have room, too.
    """

    def __init__(
        self,
        socket: Socket,
        take: Take,
        *,
        traffic: Traffic,
        name: str,
        frames_max: int = FRAMES_MAX,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self._socket = socket
        self._take = take
        self._traffic = traffic
        self._name = name
        self._frames_max = frames_max
        self._on_change = on_change
        self._changed = Event()
        self._watcher = gevent.get_hub().loop.io(socket.getsockopt(zmq.FD), 1)
        self._slice = _Slice()
        self._reader: gevent.Greenlet | None = None
        self._warning = Seldom(_WARN_PERIOD_S)
        self.closed = False

    def start(self) -> None:
        """Begin to read."""
        self._watcher.start(self._changed.set)
        self._reader = gevent.spawn(self._read)

    def send(self, frames: Sequence[bytes]) -> bool:
        """Write a message if that can be done now; return whether it was."""
        if self.closed:
            return False
        sent = self._send(frames)
        wanted = zmq.POLLIN if sent else zmq.POLLIN | zmq.POLLOUT
        if self._option(zmq.EVENTS) & wanted:
            self._changed.set()
        self._traffic.sent += sent
        return sent

    def close(self, linger_s: float = 0.0) -> None:
        """Close the socket; the reader ends by itself.

        Args:
            linger_s: What was sent has that long to go, in seconds.
        """
        if self.closed:
            return
        self.closed = True
        self._watcher.stop()
        self._watcher.close()
        self._socket.close(linger=int(linger_s * 1000))
        self._changed.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the reader to end, once it is closed."""
        if self._reader is not None:
            self._reader.join(timeout_s)

    def _send(self, frames: Sequence[bytes]) -> bool:
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as exc:
            # EAGAIN: no room, or nobody connected. EHOSTUNREACH: the peer is gone.
            if exc.errno not in {zmq.EAGAIN, zmq.EHOSTUNREACH}:
                self._warn("sending by %s failed: %s", self._name, exc)
            return False
        return True

    def _read(self) -> None:
        while not self.closed:
            try:
                self._changed.clear()
                self._drain()
                if self._on_change is not None and not self.closed:
                    self._on_change()
            except Exception:
                if self._warning.due():
                    logger.exception("reading %s failed; it goes on", self._name)
                gevent.sleep(SLICE_S)
                continue
            self._changed.wait()

    def _drain(self) -> None:
        """Take in all that is there."""
        self._slice.begin()
        while not self.closed and (frames := self._receive()) is not None:
            if frames:
                self._traffic.received += 1
                self._take(frames)
            self._slice.give_way()

    def _receive(self) -> list[bytes] | None:
        """Return a message, an empty one if it was thrown away, None if there is none."""
        frames: list[bytes] = []
        count = size = 0
        more = True
        while more:
            try:
                frame = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return None
            except zmq.ZMQError:
                if self.closed:  # while it gave way
                    return None
                raise
            count, size = count + 1, size + len(frame)
            more = bool(self._option(zmq.RCVMORE))
            if count <= self._frames_max and size <= _RECEIVED_BYTES_MAX:
                frames.append(frame)
            else:
                frames.clear()
                self._slice.give_way()
        if not frames:
            self._traffic.oversized += 1
            self._warn(
                "a message of %d frames and %d bytes came by %s and was thrown away",
                count,
                size,
                self._name,
            )
        return frames

    def _option(self, option: int) -> int:
        value = self._socket.getsockopt(option)
        assert isinstance(value, int), "only such options are asked for"
        return value

    def _warn(self, line: str, *values: object) -> None:
        if self._warning.due():
            logger.warning(line, *values)


class _Slice:
    """The share of time that a reader takes before it gives way."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Take note that the share begins now."""
        self._left = MESSAGES_MAX
        self._ends = time.monotonic() + SLICE_S

    def give_way(self) -> None:
        """Let others run, if it is time."""
        self._left -= 1
        if self._left <= 0 or time.monotonic() >= self._ends:
            gevent.sleep(_MOMENT_S)
            self.begin()
