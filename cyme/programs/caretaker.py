"""Removes what nobody needs any more: old tombstones and kept results that expired."""

from __future__ import annotations

import logging
from typing import Protocol

import gevent

from cyme.core.ports import Clock
from cyme.errors import CymeError

logger = logging.getLogger(__name__)

PERIOD_S = 600.0


class Prunable(Protocol):
    """Records that grow old."""

    def prune(self, now: float) -> int:
        """Forget tombstones that are old at ``now`` (seconds since 1970); return how many."""


class Expiring(Protocol):
    """Results that expire."""

    def prune_results(self, now: float) -> int:
        """Remove what has expired at ``now`` (seconds since 1970); return how many."""


class Caretaker:
    """Tidies up every ten minutes.

    Args:
        records: Where old tombstones are.
        results: Where expired results are.
        clock: Time.
    """

    def __init__(self, records: Prunable, results: Expiring, clock: Clock) -> None:
        self._records = records
        self._results = results
        self._clock = clock
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin; the first round comes after a period."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Tidy up no more."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None

    def tidy(self) -> None:
        """Make one round."""
        now = self._clock.wall()
        try:
            tombstones, results = self._records.prune(now), self._results.prune_results(now)
        except CymeError as exc:
            logger.warning("tidying up was put off: %s", exc)
        else:
            if tombstones or results:
                logger.info("forgot %d old tombstones and %d results", tombstones, results)

    def _run(self) -> None:
        while True:
            gevent.sleep(PERIOD_S)
            try:
                self.tidy()
            except Exception:  # the top of a greenlet; there is a next round
                logger.exception("tidying up failed")
