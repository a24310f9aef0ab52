"""Virtual time: what is to happen, in order."""

from __future__ import annotations

import heapq
from collections.abc import Callable

_Entry = tuple[float, int, Callable[..., None], tuple[object, ...]]


class Timeline:
    """Virtual time. What falls on the same moment happens in the order in which it was planned.

    Attributes:
        now: The time, in seconds since the beginning.
        happened: How much happened.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.happened = 0
        self._planned: list[_Entry] = []
        self._count = 0

    def after(self, delay_s: float, action: Callable[..., None], *arguments: object) -> None:
        """Plan something; ``delay_s`` is 0 or more."""
        self._count += 1
        heapq.heappush(self._planned, (self.now + delay_s, self._count, action, arguments))

    def run_until(self, end: float) -> None:
        """Let everything happen that is planned up to ``end``, which becomes the time."""
        planned, pop = self._planned, heapq.heappop
        while planned and planned[0][0] <= end:
            self.now, _, action, arguments = pop(planned)
            self.happened += 1
            action(*arguments)
        self.now = end
