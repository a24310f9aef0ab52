"""The one way in which tests wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02


def eventually(predicate: Callable[[], T | None], timeout_s: float = 10.0) -> T:
    """Return the predicate's first true value, or fail when ``timeout_s`` has passed."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {timeout_s} s: {getattr(predicate, '__name__', predicate)!r}, "
                f"which last said {value!r}"
            )
        time.sleep(POLL_S)


def fastest_s(act: Callable[[int], object], attempts: int = 5) -> float:
    """Return how long the quickest of some attempts took, in seconds.

    A promise about time is kept by what the code does; one attempt also tells what else the
    machine was doing.
    """

    def seconds_of(attempt: int) -> float:
        began = time.monotonic()
        act(attempt)
        return time.monotonic() - began

    return min(seconds_of(attempt) for attempt in range(attempts))
