"""Where results are kept that a broker delivers once."""

from __future__ import annotations

from typing import Protocol

#: How long a result is kept, in seconds.
KEPT_S = 3600.0


class KeptResults(Protocol):
    """A durable and bounded store of results."""

    def keep_result(self, task_id: str, payload: bytes, expires_at: float) -> None:
        """Keep a task's result; durable when this returns.

        Raises:
            TooLarge: It can never be kept.
            StorageUnavailable: It cannot be kept for the moment.
            DeadlineExceeded: It took too long.
        """

    def fetch_result(self, task_id: str) -> bytes | None:
        """Return a task's result, or None when none is kept.

        Raises:
            StorageUnavailable: The store cannot be read.
            DeadlineExceeded: It took too long.
        """

    def prune_results(self, now: float) -> int:
        """Remove what expired before ``now``, in seconds since 1970; return how many it was.

        Raises:
            StorageUnavailable: The store cannot be written.
            DeadlineExceeded: It took too long.
        """
