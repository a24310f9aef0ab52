"""How often something may happen that others bring about: many times at once, then seldom."""

from __future__ import annotations


class Ration:
    """A token bucket (RFC 2697 calls its parts committed burst size and information rate).

    Args:
        most: So many are there at first, and at most.
        per_s: So many are added in a second.
    """

    def __init__(self, most: int, per_s: float) -> None:
        self._most = most
        self._per_s = per_s
        self._left = float(most)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take one, if there is one; tell whether there was.

        Args:
            now: Monotonic seconds.
        """
        since_s = 0.0 if self._at is None else now - self._at
        self._left = min(self._most, self._left + since_s * self._per_s)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
