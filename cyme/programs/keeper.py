"""Keeps the embedded broker alive while a branch depends on it."""

from __future__ import annotations

import logging
import time
from typing import Protocol

from cyme.core.model import Broker
from cyme.errors import EmbeddedBrokerFailed
from cyme.runtime.rounds import Rounds

logger = logging.getLogger(__name__)

PERIOD_S = 5.0

#: A failure that lasts is logged so often, in seconds.
LOG_PERIOD_S = 60.0

_ENSURE_TIMEOUT_S = 20.0


class Running(Protocol):
    """An embedded broker that runs."""

    @property
    def broker(self) -> Broker:
        """Where messages go."""

    @property
    def started(self) -> bool:
        """Whether it had to be started."""


class Embedded(Protocol):
    """What the keeper needs of the embedded broker."""

    def ensure(self, timeout_s: float) -> Running | None:
        """Return the running server, started if need be."""


class Keeper(Rounds):
    """Looks every few seconds whether the embedded broker runs, and starts it again.

    When it is stopped the broker runs on, as workers do.

    Args:
        embedded: The embedded broker.
        broker: Where it was when the branch started.
    """

    def __init__(self, embedded: Embedded, broker: Broker) -> None:
        super().__init__(self.keep, period_s=PERIOD_S, what="looking after the embedded broker")
        self._embedded = embedded
        self._broker = broker
        self._logged_at = -LOG_PERIOD_S

    def keep(self) -> None:
        """Look once, and start it if it has ended."""
        try:
            self._look()
        except EmbeddedBrokerFailed as exc:
            self._log("the embedded broker is away: %s", exc.detail)

    def _look(self) -> None:
        running = self._embedded.ensure(_ENSURE_TIMEOUT_S)
        if running is None:
            self._log("the embedded broker ended, and its program is gone from this machine")
        elif running.broker != self._broker:
            self._log(
                "the embedded broker had to move from %s to %s, because another program took its "
                "port: start this branch again, which moves its apps",
                self._broker.masked_url,
                running.broker.masked_url,
            )
        elif running.started:
            logger.warning("the embedded broker had ended and was started again")

    def _log(self, message: str, *values: str) -> None:
        now = time.monotonic()
        if now - self._logged_at >= LOG_PERIOD_S:
            self._logged_at = now
            logger.error(message, *values)
