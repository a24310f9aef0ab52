"""Doing the same for several, some at a time, and not for longer than there is time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import gevent
from gevent.pool import Pool

T = TypeVar("T")


def for_all(
    things: Iterable[T], deed: Callable[[T], object], *, at_once_max: int, timeout_s: float
) -> None:
    """Do something for each of several things; what is not done in time is given up.

    Args:
        things: The things.
        deed: Is called with each of them, in a greenlet; what it comes to is its own to keep.
        at_once_max: So many at a time.
        timeout_s: How long all of it may take, in seconds.
    """
    pool = Pool(at_once_max)
    with gevent.Timeout(max(0.0, timeout_s), False):
        for thing in things:
            pool.spawn(deed, thing)
        pool.join()
    pool.kill(block=False)
