"""The log of a worker as it is read piece by piece, from any branch.

A log is a row of files: the one that is written and those that were it before. A position says
where a reader is in it, so that the next piece follows the last one whatever happened meanwhile:
a file is known by its inode and by how it begins, not by its name, which changes when files are
rotated.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Lines of history that are shown at most.
LINES_MAX = 10_000

#: A piece has so many bytes at most, as they were read.
PIECE_BYTES_MAX = 64 * 1024

#: A line is cut after so many bytes.
LINE_BYTES_MAX = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPosition:
    """Where a reader is in a log.

    Attributes:
        inode: Of the file.
        head: A checksum of the file's first bytes, as many as were read, up to a bound.
        offset: Bytes of the file that were read.
        in_line: Whether the line that stands here began before and was cut.
    """

    inode: int
    head: int
    offset: int
    in_line: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPiece:
    """A piece of a log.

    Attributes:
        text: Whole lines, UTF-8, each with its end; empty where there is nothing new.
        position: Where the next piece begins; None where there is no log yet.
        read_bytes: How much of the log this piece was made of.
        left_bytes: How much there was to read behind this piece.
        lost: Whether lines before this piece were rotated away unread.
    """

    text: bytes
    position: LogPosition | None
    read_bytes: int = 0
    left_bytes: int = 0
    lost: bool = False


NO_LOG = LogPiece(text=b"", position=None)
