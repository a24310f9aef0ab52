"""What happened in a run: lines for the reader, and a digest that tells two runs apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import blake2b

#: Lines that are kept for the message of a violation.
LINES_MAX = 400


class Transcript:
    """What happened in a run.

    Args:
        write: Takes every line as it comes, None to take none.
        messages: Whether messages between branches get lines too.
    """

    def __init__(self, write: Callable[[str], None] | None = None, *, messages: bool = False):
        self.messages = messages
        self._write = write
        self._hash = blake2b(digest_size=8)
        self._lines: deque[str] = deque(maxlen=LINES_MAX)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits: runs that went the same way have the same."""
        return self._hash.copy().hexdigest()

    @property
    def latest(self) -> list[str]:
        """The latest lines, at most ``LINES_MAX``."""
        return list(self._lines)

    def note(self, now: float, who: str, what: str) -> None:
        """Note something worth a line."""
        line = f"{now:9.3f}  {who:<6} {what}"
        self._hash.update(line.encode())
        self._lines.append(line)
        if self._write is not None:
            self._write(line)

    def mark(self, now: float, who: str, what: str, number: int = 0) -> None:
        """Note something that only the digest needs to know."""
        self._hash.update(f"{now!r} {who} {what} {number}".encode())
