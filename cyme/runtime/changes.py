"""Waiting until something has come to be as it should."""

from __future__ import annotations

from collections.abc import Callable

from gevent.event import Event as Signalled

from cyme.core.ports import Clock


class Changes:
    """Lets many wait for what one part changes.

    Args:
        clock: Time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = Signalled()

    def announce(self) -> None:
        """Wake all who wait for a change; who comes later waits for the next."""
        told, self._changed = self._changed, Signalled()
        told.set()

    def wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something is so; tell whether it came to be so in time."""
        deadline = self._clock.monotonic() + timeout_s
        while not done():
            left_s = deadline - self._clock.monotonic()
            if left_s <= 0:
                return False
            self._changed.wait(left_s)
        return True
