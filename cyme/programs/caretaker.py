"""Removes what nobody needs any more: old tombstones and kept results that expired."""

from __future__ import annotations

import logging
from typing import Protocol

from cyme.core.ports import Clock
from cyme.errors import CymeError
from cyme.runtime.rounds import Rounds

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


class Caretaker(Rounds):
    """Tidies up every ten minutes.

    Args:
        records: Where old tombstones are.
        results: Where expired results are.
        clock: Time.
    """

    def __init__(self, records: Prunable, results: Expiring, clock: Clock) -> None:
        super().__init__(self.tidy, period_s=PERIOD_S, what="tidying up")
        self._records = records
        self._results = results
        self._clock = clock

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
