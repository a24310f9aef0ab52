"""A log that a fault which comes a thousand times a second fills no disk with."""

from __future__ import annotations

import logging

from cyme.core.ports import Clock

#: Faults of one kind are logged so often, in seconds.
LOG_PERIOD_S = 10.0


class Seldom:
    """Logs each kind of fault once in a while.

    Args:
        logger: Where to.
        clock: Time.
    """

    def __init__(self, logger: logging.Logger, clock: Clock) -> None:
        self._logger = logger
        self._clock = clock
        self._logged_at: dict[str, float] = {}

    def warn(self, what: str, why: str) -> None:
        """Log a fault, unless one of its kind was logged lately.

        Args:
            what: The kind, one of a few that stand in the code.
            why: This one.
        """
        now = self._clock.monotonic()
        if now >= self._logged_at.get(what, float("-inf")) + LOG_PERIOD_S:
            self._logged_at[what] = now
            self._logger.warning("%s: %s", what, why)
