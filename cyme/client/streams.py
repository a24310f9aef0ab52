"""Streams of events that outlive connections and branches.

The laws of this file:

* A stream goes on where it was: after a break it asks for what came after the last id.
* It gives up only on what trying again cannot mend, or after as many failures in a row as it
  was told; an event that came makes it count anew.
* Silence longer than the branch's own heartbeat is a break.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Generic, Self, TypeVar

from cyme.client.calls import Calls
from cyme.client.errors import BadReply, ConnectionFailed, Timeout, Unavailable
from cyme.client.events import Event, Row, event_in, row_in
from cyme.client.messages import Deadline, Opened
from cyme.client.sse import Frame, FrameParser

#: A branch says something at least every 15 s; two of three may be late.
HEARTBEAT_S = 45.0

RECONNECTS_MAX = 10

#: Between two attempts, unless the branch says otherwise; doubled each time, in seconds.
PAUSE_S_FIRST = 0.5
PAUSE_S_MAX = 15.0

#: An id that is longer is not given back.
ID_CHARS_MAX = 1024

T = TypeVar("T", bound=Event | Row)


class EventStream(Iterator[T], Generic[T]):
    """Events as they happen; a context manager and an iterator that ends at its deadline.

    Args:
        calls: Asks the cluster.
        filters: Parameters of the request.
        after: The id of the event to go on after.
        timeout_s: When the iteration ends, in seconds from now; None is never.
        heartbeat_s: After so much silence the connection is given up, in seconds.
        reconnects: So many attempts in a row may fail.
        with_rows: Whether rows are wanted too.

    Attributes:
        dropped: How many events the branch could not deliver in time, and left out.
        branch: The branch that tells the events, by its id; empty before the first one.
    """

    def __init__(
        self,
        calls: Calls,
        filters: Mapping[str, Any],
        *,
        after: str | None = None,
        timeout_s: float | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        reconnects: int = RECONNECTS_MAX,
        with_rows: bool = False,
    ) -> None:
        self._calls = calls
        self._filters = dict(filters)
        self._parser = FrameParser(after or "")
        self._deadline = Deadline(timeout_s)
        self._heartbeat_s = heartbeat_s
        self._reconnects = reconnects
        self._with_rows = with_rows
        self._opened: Opened | None = None
        self._frames: deque[Frame] = deque()
        self._failures = 0
        self._opened_at = 0.0
        self._is_closed = False
        self.dropped = 0
        self.branch = ""

    @property
    def last_id(self) -> str:
        """The id of the last event, for a later stream to go on after."""
        return self._parser.last_id

    def connect(self) -> Self:
        """Connect now instead of at the first event, and return the stream.

        Raises:
            ClientError: The branch refuses, or there is none.
        """
        if self._opened is None:
            self._open()
        return self

    def __next__(self) -> T:
        while not self._is_closed:
            while self._frames:
                found = self._found(self._frames.popleft())
                if found is not None:
                    return found
            if self._deadline.left_s() == 0:
                break
            self._read()
        self.close()
        raise StopIteration

    def close(self) -> None:
        """End it, from any thread; whoever waits for the next event stops waiting."""
        self._is_closed = True
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _found(self, frame: Frame) -> T | None:
        """Return what a frame says, None if that is nothing to hand on."""
        if frame.event == "message":
            return event_in(frame)  # type: ignore[return-value] # T has events always
        row = row_in(frame)
        if row.kind == "dropped":
            self.dropped += int(row.data.get("count", 0))
        elif row.kind == "hello":
            self.branch = str(row.data.get("branch", ""))
        return row if self._with_rows else None  # type: ignore[return-value] # and rows then

    def _read(self) -> None:
        try:
            if self._opened is None:
                self._open()
            opened = self._opened
            if opened is None:
                return
            self._frames.extend(self._parser.feed(self._part_of(opened)))
            if self._frames:
                self._failures = 0
        except (ConnectionFailed, Timeout, Unavailable) as exc:
            self._break_off()
            if self._is_closed or self._deadline.left_s() == 0:
                return
            self._failures += 1
            if self._failures > self._reconnects:
                raise
            self._pause(exc)
        except BadReply:
            self.close()
            raise

    def _part_of(self, opened: Opened) -> bytes:
        part = opened.read(self._deadline.at_most_s(self._heartbeat_s))
        if not part and not self._is_closed:
            raise ConnectionFailed(f"{opened.url} ended the stream of events.", url=opened.url)
        return part

    def _open(self) -> None:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if _may_be_sent(self._parser.last_id):
            headers["Last-Event-ID"] = self._parser.last_id
        self._parser.start()
        self._opened_at = time.monotonic()
        timeout_s = self._deadline.at_most_s(self._calls.timeout_s)
        opened = self._calls.open(
            "/events/", query=self._filters, headers=headers, timeout_s=max(timeout_s, 0.001)
        )
        kind = opened.headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            opened.close()
            raise BadReply(f"{opened.url} tells no events: its answer is {kind!r}.")
        self._opened = opened
        if self._is_closed:
            self._break_off()

    def _break_off(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _pause(self, exc: Exception) -> None:
        # What breaks once in a while is made anew at once; what never lasts is not.
        lasted_s = time.monotonic() - self._opened_at
        if self._failures == 1 and not isinstance(exc, Unavailable) and lasted_s >= PAUSE_S_FIRST:
            return
        first_s = self._parser.retry_s or PAUSE_S_FIRST
        pause_s = min(first_s * 2.0 ** (self._failures - 1), PAUSE_S_MAX)
        time.sleep(self._deadline.at_most_s(getattr(exc, "retry_after_s", None) or pause_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _may_be_sent(event_id: str) -> bool:
    """Tell whether a header can hold an id: what is told of ids is up to the branch."""
    return (
        bool(event_id)
        and len(event_id) <= ID_CHARS_MAX
        and event_id.isascii()
        and event_id.isprintable()
    )
