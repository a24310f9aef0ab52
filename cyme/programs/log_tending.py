"""Looks after the logs of workers every few seconds, and keeps the branch's own log small."""

from __future__ import annotations

from collections.abc import Callable

from cyme.programs import logs
from cyme.runtime.rounds import Rounds

PERIOD_S = 2.0


class LogTending(Rounds):
    """Tends logs until it is stopped.

    Args:
        tend_workers: Looks after the logs of workers, beside the hub.
        bytes_max: The branch's own log is rotated once it is larger; 0 for never.
        kept: How many earlier files are kept of it.
    """

    def __init__(self, tend_workers: Callable[[], None], *, bytes_max: int, kept: int) -> None:
        super().__init__(self.tend, period_s=PERIOD_S, what="looking after the logs")
        self._tend_workers = tend_workers
        self._bytes_max = bytes_max
        self._kept = kept

    def tend(self) -> None:
        """Look after all of them once."""
        self._tend_workers()
        if self._bytes_max:
            logs.rotate(self._bytes_max, self._kept)
