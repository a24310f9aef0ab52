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
