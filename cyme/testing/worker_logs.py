"""Logs of workers that exist in a test only."""

from __future__ import annotations

from cyme.core.worker_logs import NO_LOG, PIECE_BYTES_MAX, LogPiece, LogPosition


class FakeWorkerLogs:
    """The ``WorkerLogs`` port over texts in memory; nothing in them is ever rotated.

    Attributes:
        texts: The log of each instance.
    """

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}

    def write(self, instance: str, *lines: str) -> None:
        """Append lines to a log."""
        text = "".join(f"{line}\n" for line in lines).encode()
        self.texts[instance] = self.texts.get(instance, b"") + text

    def begin(
        self,
        instance: str,
        *,
        lines: int | None,
        since: float | None,
        whole: bool,
    ) -> LogPiece:
        """Return the last lines; a line begins with the seconds at which it was written."""
        if instance not in self.texts:
            return NO_LOG
        text = self.texts[instance]
        kept = text.splitlines(keepends=True)
        if since is not None:
            kept = [line for line in kept if float(line.split()[0]) >= since]
        if lines is not None:
            kept = kept[-lines:] if lines else []
        start = len(text) - sum(map(len, kept))
        return self.read(instance, _position(start), whole=whole)

    def read(
        self,
        instance: str,
        position: LogPosition,
        *,
        whole: bool,  # noqa: ARG002 - the port's signature
    ) -> LogPiece:
        """Return what follows a position."""
        text = self.texts.get(instance, b"")[position.offset :]
        piece = text[:PIECE_BYTES_MAX]
        return LogPiece(
            text=piece,
            position=_position(position.offset + len(piece)),
            read_bytes=len(piece),
            left_bytes=len(text) - len(piece),
        )

    def has_more(self, instance: str, position: LogPosition | None) -> bool:
        """Tell whether there is more behind a position."""
        offset = position.offset if position is not None else -1
        return len(self.texts.get(instance, b"")) > offset and instance in self.texts


def _position(offset: int) -> LogPosition:
    return LogPosition(inode=1, head=0, offset=offset)
