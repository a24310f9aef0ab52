"""Keeps the embedded broker alive while a branch depends on it."""

from __future__ import annotations

import logging
import time
from typing import Protocol

import gevent

from cyme.core.model import Broker
from cyme.errors import EmbeddedBrokerFailed

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


class Keeper:
    """Looks every few seconds whether the embedded broker runs, and starts it again.

    Args:
        embedded: The embedded broker.
        broker: Where it was when the branch started.
    """

    def __init__(self, embedded: Embedded, broker: Broker) -> None:
        self._embedded = embedded
        self._broker = broker
        self._greenlet: gevent.Greenlet | None = None
        self._logged_at = -LOG_PERIOD_S

    def start(self) -> None:
        """Begin to look."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Look no more; the broker runs on, as workers do."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None

    def _run(self) -> None:
        while True:
            gevent.sleep(PERIOD_S)
            try:
                self._look()
            except EmbeddedBrokerFailed as exc:
                self._log("the embedded broker is away: %s", exc.detail)
            except Exception:  # the top of a greenlet; the broker must be kept
                logger.exception("looking after the embedded broker failed")

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
