"""What Redis says to a subscriber, cut out of the bytes as they come.

The form is that of RESP version 2 (https://redis.io/docs/latest/develop/reference/protocol-spec/):
an array of byte strings and whole numbers each time. A message that is left out costs no more
than to be cut out, which is why the client's own reader does not do here.
"""

from __future__ import annotations

from typing import Final

REPLY_BYTES_MAX: Final = 8 * 1024 * 1024
ELEMENTS_MAX: Final = 16

#: What stands before the message itself, such as the channel's name, is no larger.
_HEAD_BYTES_MAX: Final = 4096

_END: Final = b"\r\n"
_END_BYTES: Final = 2


class _TooLargeError(Exception):
    """An element is too large to be kept.

    Args:
        at: Where its bytes begin.
        size: How many they are, its end included.
        rest: How many elements of its reply follow.
    """

    def __init__(self, at: int, size: int, rest: int) -> None:
        super().__init__()
        self.at = at
        self.size = size
        self.rest = rest


class Replies:
    """Cuts replies out of bytes; what has no end yet is kept for the next ones.

    Attributes:
        left_out: How many replies were too large, and left out.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._left = bytearray()
        #: What is still to come of a reply that is left out: bytes, and elements behind them.
        self._skip = 0
        self._rest = 0

    def take(self, data: bytes) -> list[list[bytes]]:
        """Return the replies that end in these bytes.

        What is too large is left out: whoever may publish could end the connection with it.

        Raises:
            ValueError: These are no such replies, or one has no end, or tells of an error.
        """
        self._left += data
        replies: list[list[bytes]] = []
        while self._take_on(replies):
            pass
        if len(self._left) > 2 * REPLY_BYTES_MAX:
            raise ValueError(f"a reply has more than {2 * REPLY_BYTES_MAX} bytes")
        return replies

    def _take_on(self, replies: list[list[bytes]]) -> bool:
        """Take what is there; tell whether there is more, behind something that is left out."""
        left = self._left
        skipped = min(self._skip, len(left))
        del left[:skipped]
        self._skip -= skipped
        if self._skip:
            return False
        at = 0
        try:
            while self._rest:
                element = _element(left, at, self._rest - 1)
                if element is None:
                    break
                self._rest, at = self._rest - 1, element[1]
            while not self._rest and (found := _reply(left, at)) is not None:
                reply, at = found
                replies.append(reply)
        except _TooLargeError as exc:
            self.left_out += not self._rest
            at, self._skip, self._rest = exc.at, exc.size, exc.rest
        del left[:at]
        return self._skip > 0


def _reply(data: bytearray, at: int) -> tuple[list[bytes], int] | None:
    """Return the reply that begins at a place, and where it ends; None if it is not all there."""
    line = _line(data, at)
    if line is None:
        return None
    head, at = line
    if head[:1] != b"*":
        raise ValueError(head[1:201].decode("utf-8", "replace") or "an empty reply")
    count = int(head[1:])
    if not 0 <= count <= ELEMENTS_MAX:
        raise ValueError(f"a reply of {count} elements")
    elements = []
    for number in range(count):
        element = _element(data, at, count - number - 1)
        if element is None:
            return None
        elements.append(element[0])
        at = element[1]
    return elements, at


def _element(data: bytearray, at: int, rest: int) -> tuple[bytes, int] | None:
    """Return an element that so many others follow, and where it ends; None if it is not there."""
    line = _line(data, at)
    if line is None:
        return None
    head, at = line
    if head[:1] == b":":
        return head[1:], at
    if head[:1] != b"$":
        raise ValueError("a reply that is none of a subscription")
    size = int(head[1:])
    if size > (min(_HEAD_BYTES_MAX, REPLY_BYTES_MAX) if rest else REPLY_BYTES_MAX):
        raise _TooLargeError(at, size + _END_BYTES, rest)
    end = at + max(0, size)
    if end + _END_BYTES > len(data) and size >= 0:
        return None
    return bytes(data[at:end]), end + (_END_BYTES if size >= 0 else 0)


def _line(data: bytearray, at: int) -> tuple[bytes, int] | None:
    end = data.find(_END, at)
    return None if end < 0 else (bytes(data[at:end]), end + _END_BYTES)
