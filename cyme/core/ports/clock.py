"""Ports of time."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time."""

    def monotonic(self) -> float:
        """Return seconds that never fall, for measuring."""

    def wall(self) -> float:
        """Return seconds since 1970 UTC, for showing and for stamps."""
