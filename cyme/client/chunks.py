"""A body that comes in chunks: bytes in, bytes out (RFC 9112, section 7.1)."""

from __future__ import annotations

from cyme.client.errors import BadReply

_SIZE_LINE_BYTES_MAX = 1024
_SIZE_DIGITS_MAX = 15


class ChunkDecoder:
    """Takes the chunks of a body apart, however its bytes come.

    Attributes:
        has_ended: Whether the last chunk was seen.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0
        self._after_data = False
        self.has_ended = False

    def feed(self, part: bytes) -> bytes:
        """Return what of the body is in these bytes.

        Raises:
            BadReply: They are no chunks.
        """
        self._buffer += part
        found = bytearray()
        while not self.has_ended:
            if self._left:
                if not self._buffer:
                    break
                taken = self._buffer[: self._left]
                del self._buffer[: self._left]
                self._left -= len(taken)
                self._after_data = not self._left
                found += taken
            elif not self._next_chunk():
                break
        return bytes(found)

    def _next_chunk(self) -> bool:
        """Read the line that begins a chunk; tell whether it was there."""
        if self._after_data:
            if len(self._buffer) < 2:  # noqa: PLR2004 - CR LF
                return False
            if self._buffer[:2] != b"\r\n":
                raise BadReply("The branch sent a chunk that is longer than it said.")
            del self._buffer[:2]
            self._after_data = False
        line, ending, rest = self._buffer.partition(b"\r\n")
        if not ending:
            if len(line) > _SIZE_LINE_BYTES_MAX:
                raise BadReply("The branch sent a chunk without a size.")
            return False
        digits = line.partition(b";")[0].strip()
        if not digits or len(digits) > _SIZE_DIGITS_MAX or digits.strip(b"0123456789abcdefABCDEF"):
            raise BadReply("The branch sent a chunk whose size is no number.")
        self._buffer = rest
        self._left = int(digits, 16)
        self.has_ended = not self._left
        return True
