"""What waits to be brought to one target, in its order, tried again until it is taken."""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import gevent
from gevent.event import Event as Signalled

from cyme.core.alert_targets import Attempt, Outcome

logger = logging.getLogger(__name__)

#: So much waits at most; beyond, the oldest is dropped.
WAITING_MAX: Final = 1_000

#: Between attempts it is waited so long, then twice as long, and so on up to the most; each time
#: a part of that less, by chance, so that many branches do not come back at the same moment.
PAUSE_S_FIRST: Final = 1.0
PAUSE_S_MAX: Final = 300.0
PAUSE_PART_BY_CHANCE: Final = 0.5

#: What was not taken at so many attempts, over about an hour, is dropped.
ATTEMPTS_MAX: Final = 20

#: An attempt takes no longer, in seconds, however slowly the target answers.
ATTEMPT_S_MAX: Final = 30.0


class AlertSender(Protocol):
    """Delivers to one target."""

    @property
    def name(self) -> str:
        """The target as it may be logged."""

    def send(self, body: bytes, *, delivery: str) -> Attempt:
        """Try once to deliver something, and return what came of it; raises nothing.

        Args:
            body: JSON.
            delivery: Names what is delivered; the same at every attempt.
        """


class Outbox:
    """Delivers to one target, one after the other.

    Args:
        sender: Delivers.
        chance: Returns a number from 0 up to 1.

    Attributes:
        delivered: How many notices were delivered.
        dropped: How many were not, and will not be.
    """

    def __init__(
        self,
        sender: AlertSender,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._sender = sender
        self._chance = chance
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._wake = Signalled()
        self._emptied = Signalled()
        self._emptied.set()
        self._greenlet: gevent.Greenlet | None = None
        self.delivered = 0
        self.dropped = 0

    def start(self) -> None:
        """Begin to deliver."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Deliver what waits, for at most ``timeout_s`` seconds, and then no more."""
        self._emptied.wait(timeout_s)
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        if self._waiting:
            logger.warning(
                "%d alerts for %s were not delivered", len(self._waiting), self._sender.name
            )

    def put(self, delivery: str, body: bytes) -> None:
        """Have something delivered; it does not wait.

        Args:
            delivery: Names it.
            body: JSON.
        """
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self._drop("too many wait")
        self._waiting.append((delivery, body))
        self._emptied.clear()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                try:
                    self._deliver(*self._waiting[0])
                except Exception:  # the top of a greenlet; there is more to deliver
                    logger.exception("delivering an alert to %s failed", self._sender.name)
                    self._remove_first()
            self._emptied.set()

    def _deliver(self, delivery: str, body: bytes) -> None:
        pause_s = PAUSE_S_FIRST
        for attempt in range(1, ATTEMPTS_MAX + 1):
            came = self._attempt(delivery, body)
            if not self._is_first(delivery):  # it made room for a newer one meanwhile
                return
            if came.outcome is Outcome.DELIVERED:
                self._remove_first()
                self.delivered += 1
                return
            if came.outcome is Outcome.REFUSED or attempt == ATTEMPTS_MAX:
                self._remove_first()
                self._drop(came.reason)
                return
            if attempt == 1:
                logger.warning(
                    "an alert could not be delivered to %s and is tried again: %s",
                    self._sender.name,
                    came.reason,
                )
            gevent.sleep(pause_s * (1 - PAUSE_PART_BY_CHANCE * self._chance()))
            pause_s = min(2 * pause_s, PAUSE_S_MAX)
            if not self._is_first(delivery):
                return

    def _attempt(self, delivery: str, body: bytes) -> Attempt:
        with gevent.Timeout(ATTEMPT_S_MAX, False):
            return self._sender.send(body, delivery=delivery)
        return Attempt(Outcome.FAILED, f"it took longer than {ATTEMPT_S_MAX:g} s")

    def _is_first(self, delivery: str) -> bool:
        return bool(self._waiting) and self._waiting[0][0] == delivery

    def _remove_first(self) -> None:
        if self._waiting:
            self._waiting.popleft()

    def _drop(self, reason: str) -> None:
        self.dropped += 1
        logger.error(
            "an alert for %s was dropped (%s); %d were since the start",
            self._sender.name,
            reason,
            self.dropped,
        )
