"""Logs of workers, read as they are written."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Self

from cyme.client.calls import Calls
from cyme.client.errors import Timeout
from cyme.client.messages import Deadline, Opened

#: A connection over which nothing comes for so long is looked at again, in seconds.
_SILENCE_S = 3600.0

#: A line that is longer comes in parts.
LINE_CHARS_MAX = 64 * 1024


class LogStream(Iterator[str]):
    """Lines of a log without their ends, as they are written; a context manager.

    It ends when the branch ends it, at ``close``, and raises ``ConnectionFailed`` where the
    connection breaks.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._rest = ""
        self._lines: deque[str] = deque()
        self._has_ended = False
        self._is_within_line = False  # a part of which was handed on

    def __next__(self) -> str:
        line = self.next_line(None)
        if line is None:
            raise StopIteration
        return line

    def next_line(self, timeout_s: float | None) -> str | None:
        """Return the next line, None at the end.

        Args:
            timeout_s: How long to wait for it, in seconds; None is for ever.

        Raises:
            Timeout: Nothing was written; the stream is closed then.
            ConnectionFailed: The connection broke.
        """
        deadline = Deadline(timeout_s)
        while not self._lines and not self._has_ended:
            wait_s = deadline.at_most_s(_SILENCE_S)
            try:
                part = self._opened.read(wait_s)
            except Timeout as exc:
                raise Timeout(f"Nothing was written for {wait_s:g} s.", url=exc.url) from exc
            self._feed(part)
        return self._lines.popleft() if self._lines else None

    def close(self) -> None:
        """End it, from any thread."""
        self._has_ended = True
        self._opened.close()

    def _feed(self, part: bytes) -> None:
        self._rest += self._decode(part, final=not part)
        *lines, self._rest = self._rest.split("\n")
        if lines and self._is_within_line and not lines[0]:
            del lines[0]
        self._is_within_line = self._is_within_line and not lines
        self._lines.extend(lines)
        if not part:
            self._has_ended = True
        if self._rest and (not part or len(self._rest) > LINE_CHARS_MAX):
            self._lines.append(self._rest)
            self._rest = ""
            self._is_within_line = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_log(
    calls: Calls, path: str, lines: int, since: float | datetime | str | None
) -> LogStream:
    """Return a log that is followed."""
    query = {**log_query(lines, since), "follow": 1}
    return LogStream(calls.open(path, query=query, headers={"Accept": "text/plain"}))


def log_query(lines: int, since: float | datetime | str | None) -> Mapping[str, Any]:
    """Return the parameters of a request for a log."""
    return {"lines": lines, "since": since}
