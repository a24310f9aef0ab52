"""The events of a branch in files of its directory: one JSON object a line, bounded by rotation.

What a kill or a full disk cuts off is one line, which is passed over when the files are read. A
line is no promise to anybody: it is not forced to the disk, so that a power cut loses the last
ones.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import gevent
import msgspec

from cyme.core.events import Event
from cyme.errors import StorageUnavailable

logger = logging.getLogger(__name__)

LOG_FILE = "events.jsonl"

#: A file that would grow over this is put aside, with so many others; the oldest is removed.
FILE_BYTES_MAX = 1 << 20
KEPT_MAX = 4

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(Event).decode

T = TypeVar("T")


class FileEventLog:
    """The events of one branch; one call at a time.

    Args:
        directory: The branch's directory.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOG_FILE
        self._is_torn = True  # as far as is known

    def load(self) -> list[Event]:
        """Return what the files tell, the oldest first; what cannot be read is left out."""
        events, faults = _aside(self._read_all)
        for fault in faults:
            logger.warning("events of earlier are left out: %s", fault)
        return events

    def append(self, events: Sequence[Event]) -> None:
        """Write events down, behind all others. It waits for the disk; other greenlets do not.

        Raises:
            StorageFull: There is no room.
            StorageUnavailable: The file cannot be written. Some of the events may be in it.
        """
        lines = b"".join(_encode(event) + b"\n" for event in events)
        try:
            _aside(lambda: self._append(lines))
        except OSError as exc:
            self._is_torn = True
            raise StorageUnavailable.of(
                exc,
                f"{self._path} cannot be written: {exc.strerror}. Make room, or give the branch a "
                "directory that it may write to; what happens is remembered in memory meanwhile.",
            ) from exc

    # --- in a thread of its own -----------------------------------------------------------------

    def _read_all(self) -> tuple[list[Event], list[OSError]]:
        events: list[Event] = []
        faults: list[OSError] = []
        for number in reversed(range(KEPT_MAX + 1)):
            try:
                with self._kept(number).open("rb") as source:
                    events += _events_in(source.read(2 * FILE_BYTES_MAX).split(b"\n"))
            except FileNotFoundError:
                continue
            except OSError as exc:
                faults.append(exc)
        return events, faults

    def _append(self, lines: bytes) -> None:
        if self._size() + len(lines) > FILE_BYTES_MAX:
            self._rotate()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(self._path, flags, 0o600)
        try:
            # What may have been cut off must not take the next line with it.
            left = memoryview(b"\n" + lines if self._is_torn else lines)
            while left:
                left = left[os.write(file, left) :]
        finally:
            os.close(file)
        self._is_torn = False

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _rotate(self) -> None:
        for number in reversed(range(KEPT_MAX)):
            if self._kept(number).exists():
                self._kept(number).replace(self._kept(number + 1))

    def _kept(self, number: int) -> Path:
        return self._path.with_name(f"{LOG_FILE}.{number}") if number else self._path


def _events_in(lines: Sequence[bytes]) -> Iterator[Event]:
    for line in lines:
        if not line:
            continue
        try:
            yield _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # it was cut off


def _aside(work: Callable[[], T]) -> T:
    """Do work in a native thread and return its result; other greenlets run meanwhile."""
    result: T = gevent.get_hub().threadpool.apply(work)
    return result
