"""The log of a worker: ``worker.log``, and what it was before in ``worker.log.1`` and so on.

Laws:

* reading never changes anything, and sees every line once, whatever is rotated meanwhile;
* what is read at a time is bounded;
* nothing here runs in the hub but the look whether there is more.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cyme.adapters.celery_multi.log_lines import STAMP_BYTES, moment_of, shown
from cyme.adapters.celery_multi.log_rotation import rotated
from cyme.adapters.celery_multi.processes import aside
from cyme.adapters.celery_multi.raw_output import LOG_FILE, unread_output
from cyme.core.names import check_name
from cyme.core.worker_logs import (
    LINE_BYTES_MAX,
    LINES_MAX,
    NO_LOG,
    PIECE_BYTES_MAX,
    LogPiece,
    LogPosition,
)

#: Files of one log that are looked at, the one that is written included.
FILES_MAX = 101

#: A file is known by so many of its first bytes.
_HEAD_BYTES = 256

_BLOCK_BYTES = 64 * 1024

#: So much of a file is looked at for the last lines.
_LINES_BYTES_MAX = 64 * 1024 * 1024

#: A stretch of so many bytes is searched line by line.
_STRETCH_BYTES = 8 * 1024

#: A file may seem to have been written so long before its last line, in seconds.
_STAMP_S = 1.0

#: Files are opened again so often if they are rotated meanwhile.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a log, open.

    Attributes:
        file: To read from.
        inode: What it is known by.
        size: How long it was when it was opened.
        written: When it was written last, seconds since 1970.
    """

    file: IO[bytes]
    inode: int
    size: int
    written: float

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self.file.fileno(), size, offset)

    def position(self, offset: int, *, in_line: bool = False) -> LogPosition:
        """Return the position at an offset of this file."""
        head = zlib.crc32(self.read(0, min(offset, _HEAD_BYTES)))
        return LogPosition(inode=self.inode, head=head, offset=offset, in_line=in_line)

    def has(self, position: LogPosition) -> bool:
        """Tell whether a position is one in this file."""
        return (
            position.inode == self.inode
            and position.offset <= self.size
            and position == self.position(position.offset, in_line=position.in_line)
        )


class WorkerLogFiles:
    """The logs of the workers of one branch, to be read.

    Args:
        directory: Holds one directory for each instance.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def begin(
        self, instance: str, *, lines: int | None, since: float | None, whole: bool
    ) -> LogPiece:
        """Return the first piece of what was asked for.

        Args:
            instance: Whose log.
            lines: At most so many of its last lines; None for all.
            since: Only lines written since then, seconds since 1970; None for all. A line that
                does not say when it was written belongs to the one before it.
            whole: Whether what stands at the end without a line's end is a line.
        """
        place = self._place(instance)
        return aside(lambda: _begin(place, lines, since, whole))

    def read(self, instance: str, position: LogPosition, *, whole: bool) -> LogPiece:
        """Return the piece that begins at a position; arguments as for ``begin``."""
        place = self._place(instance)
        return aside(lambda: _read_on(place, position, whole))

    def has_more(self, instance: str, position: LogPosition | None) -> bool:
        """Tell whether there is something to read behind a position; cheap, and may be wrong."""
        try:
            status = (self._place(instance) / LOG_FILE).stat()
        except OSError:
            return False
        if position is None:
            return True
        return (status.st_ino, status.st_size) != (position.inode, position.offset)

    def _place(self, instance: str) -> Path:
        return self._directory / check_name("instance", instance)


def _begin(place: Path, lines: int | None, since: float | None, whole: bool) -> LogPiece:
    with _opened(place) as files:
        if not files:
            return NO_LOG
        starts = [(0, 0)]
        if since is not None:
            starts.append(_start_since(files, since))
        if lines is not None:
            starts.append(_start_of_lines(files, min(lines, LINES_MAX), whole=whole))
        index, offset = max(starts)
        return _piece(files, index, offset, in_line=False, whole=whole)


def _read_on(place: Path, position: LogPosition, whole: bool) -> LogPiece:
    with _opened(place) as files:
        if not files:
            return LogPiece(text=b"", position=position)
        for index, file in enumerate(files):
            if file.has(position):
                return _piece(files, index, position.offset, in_line=position.in_line, whole=whole)
        return _piece(files, 0, 0, in_line=False, whole=whole, lost=True)


@contextlib.contextmanager
def _opened(place: Path) -> Iterator[Sequence[_File]]:
    """Open the files of a log, the oldest first; none twice, and none left out between two."""
    with contextlib.ExitStack() as stack:
        for _ in range(_TRIES):
            files = list(_open_all(place, stack))
            # What was renamed while the files were opened is seen twice, or not at all.
            now = [_inode(place / name) for name in _names(place)]
            if [file.inode for file in files] == now:
                break
            stack.pop_all().close()
            files = []
        yield files


def _open_all(place: Path, stack: contextlib.ExitStack) -> Iterator[_File]:
    for name in _names(place):
        try:
            file = stack.enter_context((place / name).open("rb", buffering=0))
        except OSError:
            continue
        status = os.fstat(file.fileno())
        yield _File(file, status.st_ino, status.st_size, status.st_mtime)


def _names(place: Path) -> list[str]:
    """Return the names of a log's files, the oldest first."""
    old = [f"{LOG_FILE}.{number}" for number in sorted(rotated(place))[: FILES_MAX - 1][::-1]]
    return [*old, LOG_FILE] if (place / LOG_FILE).exists() else old


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


# --- where to begin ------------------------------------------------------------------------------

#: A file of a log, by its place in their row, and how far in it.
_Start = tuple[int, int]


def _start_of_lines(files: Sequence[_File], lines: int, *, whole: bool) -> _Start:
    """Return where the last lines begin."""
    last = len(files) - 1
    start = (last, files[last].size)
    # The last one is counted only once it has its end.
    uncounted = 0 if whole or _is_ended(files[last]) else 1
    for index in range(last, -1, -1):
        for offset in _line_starts(files[index]):
            if uncounted:
                uncounted -= 1
            elif lines:
                lines -= 1
            else:
                return start
            start = (index, offset)
    return start


def _is_ended(file: _File) -> bool:
    return file.size == 0 or file.read(file.size - 1, 1) == b"\n"


def _line_starts(file: _File) -> Iterator[int]:
    """Return where the lines of a file begin, the last first; of a huge one not all of them."""
    end = file.size - 1  # the end of the last line begins no other
    stop = max(0, end - _LINES_BYTES_MAX)
    while end > stop:
        begin = max(stop, end - _BLOCK_BYTES)
        block = file.read(begin, end - begin)
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            yield begin + at + 1
        end = begin
    if file.size and not stop:
        yield 0


def _start_since(files: Sequence[_File], since: float) -> _Start:
    """Return where the first line begins that was written since a moment."""
    for index, file in enumerate(files):
        if file.written >= since - _STAMP_S:
            offset = _offset_since(file, since)
            if offset is not None:
                return index, offset
    return len(files) - 1, files[-1].size


def _offset_since(file: _File, since: float) -> int | None:
    """Return where the first line of a file begins that was written since a moment.

    A file in which no line says when it was written is taken as a whole.
    """
    low, high = 0, file.size
    while high - low > _STRETCH_BYTES:
        middle = (low + high) // 2
        found = next(_stamps(file, middle, high), None)
        if found is not None and found[1] < since:
            low = found[0]
        else:
            high = middle
    is_stamped = low > 0
    for offset, moment in _stamps(file, low, file.size):
        if moment >= since:
            return offset
        is_stamped = True
    return None if is_stamped else 0


def _stamps(file: _File, start: int, end: int) -> Iterator[tuple[int, float]]:
    """Return where lines begin that say when they were written, within a stretch, and when."""
    at = start if start == 0 or file.read(start - 1, 1) == b"\n" else _next_line(file, start)
    while at < end:
        block = file.read(at, _BLOCK_BYTES)
        is_last = at + len(block) >= file.size
        begin = 0
        while at + begin < end and (is_last or len(block) - begin >= STAMP_BYTES):
            moment = moment_of(block[begin : begin + STAMP_BYTES])
            if moment is not None:
                yield at + begin, moment
            found = block.find(b"\n", begin)
            if found < 0:
                begin = _next_line(file, at + len(block)) - at
                break
            begin = found + 1
        at += begin


def _next_line(file: _File, offset: int) -> int:
    """Return where the next line begins behind an offset, or the end of the file."""
    while block := file.read(offset, _BLOCK_BYTES):
        found = block.find(b"\n")
        if found >= 0:
            return offset + found + 1
        offset += len(block)
    return max(offset, file.size)


# --- a piece -------------------------------------------------------------------------------------


def _piece(
    files: Sequence[_File],
    index: int,
    offset: int,
    *,
    in_line: bool,
    whole: bool,
    lost: bool = False,
) -> LogPiece:
    """Return the lines from an offset on, into the files that follow, as many as fit."""
    texts: list[bytes] = []
    read_bytes = 0
    while True:
        file = files[index]
        is_newest = index == len(files) - 1
        room = min(PIECE_BYTES_MAX - read_bytes, file.size - offset)
        data = file.read(offset, room)
        is_end = offset + len(data) >= file.size
        lines, used, in_line = _lines(data, in_line, ends=is_end and (whole or not is_newest))
        if not used and room and not is_end and not texts:
            # The line is longer than what fits.
            lines, used, in_line = [data], len(data), True
        texts += map(shown, lines)
        offset += used
        read_bytes += used
        if is_newest or offset < file.size or read_bytes >= PIECE_BYTES_MAX:
            break
        index, offset, in_line = index + 1, 0, False
    return LogPiece(
        text=b"".join(texts),
        position=files[index].position(offset, in_line=in_line),
        read_bytes=read_bytes,
        left_bytes=files[index].size - offset + sum(file.size for file in files[index + 1 :]),
        lost=lost,
    )


def _lines(data: bytes, in_line: bool, *, ends: bool) -> tuple[list[bytes], int, bool]:
    """Take the lines out of what was read.

    Args:
        data: What was read.
        in_line: Whether it begins within a line that was cut.
        ends: Whether what stands behind the last line's end is a line as well.

    Returns:
        The lines, how many bytes were taken, and whether those end within a line that was cut.
    """
    begin = 0
    if in_line:
        begin = data.find(b"\n") + 1
        if not begin:
            return [], len(data), not ends
    end = data.rfind(b"\n") + 1
    lines = data[begin:end].split(b"\n")[:-1]
    rest = data[max(begin, end) :]
    if not rest:
        return lines, len(data), False
    if ends:
        return [*lines, rest], len(data), False
    if len(rest) > LINE_BYTES_MAX:
        return [*lines, rest], len(data), True
    return lines, len(data) - len(rest), False


# --- the last words ------------------------------------------------------------------------------


def tail(place: Path, lines_max: int) -> Sequence[str]:
    """Return the last lines of a worker's log, what it printed itself included."""
    if lines_max <= 0:
        return ()
    lines: list[str] = []
    for name in (f"{LOG_FILE}.1", LOG_FILE):
        lines += _last_block(place / name)
    return tuple((lines + unread_output(place))[-lines_max:])


def _last_block(path: Path) -> list[str]:
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _BLOCK_BYTES))
            return log.read(_BLOCK_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return []
