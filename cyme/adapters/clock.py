"""The system's clock."""

from __future__ import annotations

import time


class SystemClock:
    """Time as the operating system tells it."""

    def monotonic(self) -> float:
        """Return seconds that never fall, for measuring."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970 UTC, for showing and for stamps."""
        return time.time()
