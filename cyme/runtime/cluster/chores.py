"""What takes its time, done in greenlets of its own, so many at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gevent.pool import Pool

from cyme.runtime.cluster.seldom import Seldom

logger = logging.getLogger(__name__)


class Chores:
    """Does what is not waited for.

    Args:
        at_once_max: So many at a time.
        seldom: Where it is told that there was too much to do.
    """

    def __init__(self, at_once_max: int, seldom: Seldom) -> None:
        self._pool = Pool(at_once_max)
        self._seldom = seldom

    @property
    def full(self) -> bool:
        """Whether no more can be begun now."""
        return bool(self._pool.full())

    def run(self, perform: Callable[..., None], *arguments: object) -> None:
        """Begin something; when there is too much it is not done, and will be asked for again."""
        if self.full:
            self._seldom.warn("too much to do at once", perform.__name__)
            return
        self._pool.spawn(_guarded, perform, *arguments)

    def join(self, timeout_s: float) -> None:
        """Wait until all that was begun is done, for so long at most."""
        self._pool.join(timeout=timeout_s)

    def stop(self, timeout_s: float) -> None:
        """End what is under way."""
        self._pool.kill(timeout=timeout_s)


def _guarded(perform: Callable[..., None], *arguments: object) -> None:
    try:
        perform(*arguments)
    except Exception:  # the top of a greenlet: there is nobody above to raise to
        logger.exception("%s failed", perform.__name__)
