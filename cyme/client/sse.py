"""Server-sent events: bytes in, frames out (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from cyme.client.errors import BadReply

#: A line, and the data of a frame, may be so long.
LINE_CHARS_MAX = 4 * 1024 * 1024
DATA_CHARS_MAX = 16 * 1024 * 1024

_RETRY_DIGITS_MAX = 9


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream.

    Attributes:
        event: Its type, ``message`` where none was given.
        data: What it says.
        id: The last id that the stream gave.
    """

    event: str
    data: str
    id: str


class FrameParser:
    """Makes frames of the bytes of a stream.

    Attributes:
        last_id: The last id that the stream gave, which a later stream goes on after.
        retry_s: How long to wait before connecting again, in seconds; None if never told.
    """

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry_s: float | None = None
        self.start()

    def start(self) -> None:
        """Begin with a new stream: what was not complete is forgotten, the last id is not."""
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._rest = ""
        self._is_first = True
        self._ended_with_cr = False
        self._event = ""
        self._data: list[str] = []
        self._data_chars = 0

    def feed(self, part: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete with these bytes.

        Raises:
            BadReply: A line or a frame is longer than any that a branch sends.
        """
        text = self._decode(part)
        if self._is_first and text:
            self._is_first = False
            text = text.removeprefix("\ufeff")
        if self._ended_with_cr and text:
            self._ended_with_cr = False
            text = text.removeprefix("\n")
        self._ended_with_cr = self._ended_with_cr or text.endswith("\r")
        *lines, self._rest = _lines(self._rest + text)
        if len(self._rest) > LINE_CHARS_MAX:
            raise BadReply("The stream of events has a line without an end.")
        for line in lines:
            frame = self._take(line)
            if frame is not None:
                yield frame

    def _take(self, line: str) -> Frame | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
                self._data_chars += len(value) + 1
                if self._data_chars > DATA_CHARS_MAX:
                    raise BadReply("The stream of events has a frame without an end.")
            case "id" if "\0" not in value:
                self.last_id = value
            case "retry" if value.isascii() and value.isdigit() and len(value) < _RETRY_DIGITS_MAX:
                self.retry_s = int(value) / 1000
        return None

    def _dispatch(self) -> Frame | None:
        event, data = self._event, self._data
        self._event, self._data, self._data_chars = "", [], 0
        if not data:
            return None
        return Frame(event or "message", "\n".join(data), self.last_id)


def _lines(text: str) -> list[str]:
    """Return the lines, the last one without its end; CR, LF and CR LF each end one."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
