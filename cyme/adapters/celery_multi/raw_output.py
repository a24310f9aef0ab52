"""What a worker prints by itself: its banner, what it says when it dies, what libraries print.

All that goes to ``worker.out``, which the process has open for as long as it lives and which
therefore cannot be rotated. Every few seconds what is new in it is added to the log, so that one
file tells all; ``worker.out.read`` says how much of it was. A file that grew large is emptied.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

LOG_FILE = "worker.log"
OUTPUT_FILE = "worker.out"
_READ_FILE = "worker.out.read"

#: The file is emptied once it is larger.
OUTPUT_BYTES_MAX = 1024 * 1024

#: So much of it is added to the log at a time; of a flood the rest is left out.
_ADDED_BYTES_MAX = 256 * 1024

_READ_CHARS_MAX = 20
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


def open_output(place: Path) -> int:
    """Return a descriptor of an empty ``worker.out``; what an earlier worker printed is kept.

    Raises:
        OSError: It cannot be opened.
    """
    add_to_log(place)
    make_log(place)
    (place / _READ_FILE).unlink(missing_ok=True)
    return os.open(place / OUTPUT_FILE, _APPEND | os.O_TRUNC, 0o600)


def make_log(place: Path) -> None:
    """Make a worker's log, readable for its owner alone; Celery's own would follow the umask.

    Raises:
        OSError: It cannot be made.
    """
    os.close(os.open(place / LOG_FILE, _APPEND, 0o600))


def add_to_log(place: Path) -> None:
    """Add to a worker's log what it printed since the last time.

    Raises:
        OSError: One of the files cannot be read or written.
    """
    path = place / OUTPUT_FILE
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return
    done = _read_so_far(place, size)
    if done < size:
        _append_to_log(place, _read(path, done, size))
        _note_read(place, size)
    if size > OUTPUT_BYTES_MAX and path.stat().st_size == size:
        os.truncate(path, 0)
        _note_read(place, 0)


def unread_output(place: Path) -> list[str]:
    """Return the lines that a worker printed and that are not in its log yet."""
    path = place / OUTPUT_FILE
    try:
        size = path.stat().st_size
        return _read(path, _read_so_far(place, size), size).decode(errors="replace").splitlines()
    except OSError:
        return []


def _read(path: Path, begin: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(begin, end - _ADDED_BYTES_MAX))
        return file.read(min(end - begin, _ADDED_BYTES_MAX))


def _append_to_log(place: Path, data: bytes) -> None:
    descriptor = os.open(place / LOG_FILE, _APPEND, 0o600)
    try:
        # In one piece, so that it does not mix with what the worker logs.
        os.write(descriptor, data if data.endswith(b"\n") else data + b"\n")
    finally:
        os.close(descriptor)


def _read_so_far(place: Path, size: int) -> int:
    """Return how much of the output was read; nothing, if it was emptied since."""
    try:
        done = int((place / _READ_FILE).read_text(encoding="ascii")[:_READ_CHARS_MAX])
    except (OSError, ValueError):
        return 0
    return done if 0 <= done <= size else 0


def _note_read(place: Path, done: int) -> None:
    descriptor = os.open(
        place / _READ_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
    )
    with contextlib.closing(os.fdopen(descriptor, "w", encoding="ascii")) as file:
        file.write(str(done))
