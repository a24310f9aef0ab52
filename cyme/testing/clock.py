"""A clock that moves when it is told to."""

from __future__ import annotations

#: Where the fake clock's wall begins: 15 August 2011, 22:06:43 UTC.
WALL_S = 1_313_446_003.0


class FakeClock:
    """A clock that moves when it is told to.

    Args:
        monotonic_s: Where it begins.
        wall_s: Where its wall time begins.
    """

    def __init__(self, monotonic_s: float = 1000.0, wall_s: float = WALL_S) -> None:
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s

    def monotonic(self) -> float:
        """Return seconds that never fall."""
        return self._monotonic_s

    def wall(self) -> float:
        """Return seconds since 1970 UTC."""
        return self._wall_s

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass, 0 or more."""
        assert seconds >= 0, "time does not go back"
        self._monotonic_s += seconds
        self._wall_s += seconds
