"""What is done again and again as long as a branch runs."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent

logger = logging.getLogger(__name__)


class Rounds:
    """Does something every so often, whether it succeeds or not.

    Args:
        deed: Does it once.
        period_s: The pause before each round, in seconds.
        what: What it does, as it reads before 'failed'.
    """

    def __init__(self, deed: Callable[[], object], *, period_s: float, what: str) -> None:
        self._deed = deed
        self._period_s = period_s
        self._what = what
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin; the first round comes after a period."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Make no more rounds; one that is under way is given up."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None

    def _run(self) -> None:
        while True:
            gevent.sleep(self._period_s)
            try:
                self._deed()
            except Exception:  # the top of a greenlet; there is a next round
                logger.exception("%s failed", self._what)
