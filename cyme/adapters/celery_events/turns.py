"""Turns: how much of the hub all listeners of a branch may take together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import gevent

#: All listeners of a branch together take at most this part of the hub's time. What does not fit
#: is left out and counted.
HUB_SHARE_MAX: Final = 0.2

#: A turn ends after so long, in seconds, so that nobody waits longer for the hub because of it.
TURN_S: Final = 0.003


class Turns:
    """Gives turns to the listeners of a branch, and after each a rest in proportion.

    The rests are kept in common: many brokers take no more of the hub than one.

    Args:
        share_max: The part of the hub's time that turns take at most, over 0 and under 1.
        turn_s: How long a turn is at most, in seconds.
        now: Seconds that never fall.
    """

    def __init__(
        self,
        share_max: float = HUB_SHARE_MAX,
        turn_s: float = TURN_S,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._rest_per_work = (1 - share_max) / share_max
        self._turn_s = turn_s
        self._now = now
        self._free_at = 0.0
        self._began_at = 0.0

    def wait(self) -> None:
        """Wait until the rests of earlier turns are over."""
        while (left_s := self._free_at - self._now()) > 0:
            gevent.sleep(left_s)

    def begin(self) -> float:
        """Begin a turn, within which nobody else gets the hub; return when it is to end."""
        self._began_at = self._now()
        return self._began_at + self._turn_s

    def part(self, ends_at: float, part: float) -> float:
        """Return when a part (0 to 1) of what is left of a turn is over."""
        now = self._now()
        return now + (ends_at - now) * part

    def is_over(self, ends_at: float) -> bool:
        """Tell whether the time of a turn is over."""
        return self._now() >= ends_at

    def end(self) -> None:
        """End the turn, however long it was."""
        now = self._now()
        worked_s = now - self._began_at
        self._free_at = max(self._free_at, now) + worked_s * self._rest_per_work
