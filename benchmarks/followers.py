"""``python -m benchmarks.followers ORDER``: follows the events of a branch on many connections.

It says ``ready`` once all streams have begun, follows them until its input is closed, and then
tells how long each event took to each of them.
"""

from __future__ import annotations

import json
import resource
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

#: Streams are begun so many at a time, so that the server's queue of connections holds them.
BEGUN_AT_ONCE = 100

CONNECT_TIMEOUT_S = 30.0

#: When the input is closed what is under way is followed to its end: until it was quiet for so
#: long, in seconds.
QUIET_S = 1.0
_END = b"\n\n"


@dataclass
class Followed:
    """What came of it.

    Attributes:
        latencies_s: From an event's moment to its arrival, for every event and stream.
        streams: How many were followed to the end.
        events: How many events each stream had.
        dropped: Frames that tell of events that were left out.
    """

    latencies_s: list[float] = field(default_factory=list)
    streams: int = 0
    events: list[int] = field(default_factory=list)
    dropped: int = 0


class Stream:
    """One stream, and what came of it so far."""

    def __init__(self, address: tuple[str, int], path: str) -> None:
        self.socket = socket.create_connection(address, timeout=CONNECT_TIMEOUT_S)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self._buffer = b""
        self.events = 0

    def begin(self) -> None:
        """Wait for the first frame."""
        while b"event: hello" not in self._buffer or not self._buffer.endswith(_END):
            piece = self.socket.recv(65536)
            if not piece:
                raise SystemExit(f"a stream was refused: {self._buffer[:200]!r}")
            self._buffer += piece
        self._buffer = b""
        self.socket.setblocking(False)

    def take(self, followed: Followed) -> bool:
        """Take what came; return whether the stream goes on."""
        try:
            piece = self.socket.recv(65536)
        except BlockingIOError:
            return True
        if not piece:
            return False
        now = time.time()
        *frames, self._buffer = (self._buffer + piece).split(_END)
        for frame in frames:
            if frame.startswith(b"id: "):
                event = json.loads(frame.partition(b"data: ")[2])
                at = datetime.fromisoformat(event["at"]).timestamp()
                followed.latencies_s.append(now - at)
                self.events += 1
            elif frame.startswith(b"event: dropped"):
                followed.dropped += 1
        return True


def follow(address: tuple[str, int], path: str, count: int) -> Followed:
    """Follow ``count`` streams until the input is closed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + 64)), hard))
    followed = Followed()
    streams: list[Stream] = []
    while len(streams) < count:
        some = [Stream(address, path) for _ in range(min(BEGUN_AT_ONCE, count - len(streams)))]
        for stream in some:
            stream.begin()
        streams += some
    selector = selectors.DefaultSelector()
    for stream in streams:
        selector.register(stream.socket, selectors.EVENT_READ, stream)
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    print("ready", flush=True)
    timeout_s = None
    while came := selector.select(timeout_s):
        for key, _ in came:
            if key.data is None:
                timeout_s = QUIET_S
                selector.unregister(sys.stdin)
            elif not key.data.take(followed):
                selector.unregister(key.fileobj)
                streams.remove(key.data)
    followed.streams = len(streams)
    followed.events = [stream.events for stream in streams]
    return followed


def main(arguments: Sequence[str]) -> None:
    """Follow as the order says, and print what came of it."""
    order = json.loads(arguments[0])
    followed = follow(tuple(order["address"]), order["path"], order["streams"])
    json.dump(asdict(followed), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
