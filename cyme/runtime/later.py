"""Writes that nobody waits for: a bounded pool of greenlets that is joined at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
from gevent.pool import Pool

from cyme.errors import CymeError, Overloaded

logger = logging.getLogger(__name__)

#: Asynchronous writes under way at the same time.
LATER_MAX = 256


class Later:
    """Runs writes in greenlets of its own."""

    def __init__(self) -> None:
        self._pool = Pool(LATER_MAX)

    def __len__(self) -> int:
        return len(self._pool)

    def run(self, write: Callable[[], None]) -> None:
        """Run ``write`` soon, in a greenlet.

        Raises:
            Overloaded: So many are under way already.
        """
        if self._pool.full():
            raise Overloaded(
                f"{LATER_MAX} asynchronous writes are under way. Try again, or without '!'.",
                retry_after_s=1.0,
            )
        self._pool.spawn(_guarded, write)

    def stop(self, timeout_s: float) -> None:
        """Wait for the writes under way, and end those that take longer."""
        self._pool.join(timeout=timeout_s)
        if len(self._pool):
            logger.warning("%d asynchronous writes were given up", len(self._pool))
            self._pool.kill(timeout=1.0)
        gevent.sleep(0)


def _guarded(write: Callable[[], None]) -> None:
    try:
        write()
    except CymeError as exc:
        logger.warning("An asynchronous write failed: %s", exc.detail)
    except Exception:  # the top of a greenlet: there is nobody above to raise to
        logger.exception("An asynchronous write failed")
