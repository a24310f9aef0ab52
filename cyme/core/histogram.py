"""How often something took how long: counts by upper bounds, as Prometheus wants them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate


class Histogram:
    """Counts what was observed.

    Args:
        bounds: Upper ends of what is counted together, rising; what is above all of them is
            counted by itself.

    Attributes:
        bounds: They.
        total: The sum of all that was observed.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.total = 0.0
        self._counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count something."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def up_to(self) -> list[int]:
        """Return for each bound how many were not above it, and at last how many there were."""
        return list(accumulate(self._counts))
