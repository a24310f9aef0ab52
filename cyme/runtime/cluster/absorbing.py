"""Making records of other branches durable, a batch at a time, without anybody waiting for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import gevent
from gevent.queue import Full
from gevent.queue import Queue as Inbox

from cyme.core.cluster.messages import ITEMS_MAX
from cyme.core.model import Record
from cyme.core.ports import Clock
from cyme.errors import CymeError
from cyme.runtime.cluster.seldom import Seldom
from cyme.runtime.replica import Replica

logger = logging.getLogger(__name__)

#: Batches that wait for the disk; what is more is found again by comparing.
BATCHES_MAX = 1_000
ABSORB_TIMEOUT_S = 10.0


class Absorbing:
    """Takes in records of other branches.

    Args:
        replica: Where they go.
        clock: Time.
        refused: Told which records were not taken in; a later comparison may bring them again.
    """

    def __init__(
        self, replica: Replica, clock: Clock, refused: Callable[[Sequence[Record]], None]
    ) -> None:
        self._replica = replica
        self._refused = refused
        self._seldom = Seldom(logger, clock)
        self._batches: Inbox[tuple[Record, ...]] = Inbox(BATCHES_MAX)
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to take in."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Take in no more."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None

    def take(self, records: Sequence[Record]) -> None:
        """Have records taken in soon."""
        try:
            self._batches.put_nowait(tuple(records))
        except Full:
            self._refuse(records, "too many wait for the disk")

    def _run(self) -> None:
        while True:
            batch = list(self._batches.get())
            while not self._batches.empty() and len(batch) < ITEMS_MAX:
                batch += self._batches.get_nowait()
            self._absorb(batch)

    def _absorb(self, batch: Sequence[Record]) -> None:
        try:
            refused = self._replica.absorb(batch, ABSORB_TIMEOUT_S)
        except CymeError as exc:
            self._refuse(batch, exc.detail)
        except Exception:  # the top of a greenlet; it must go on
            logger.exception("taking in records of other branches failed")
            self._refused(batch)
        else:
            if refused:
                self._refuse(refused, "there is no room for them, or they cannot be right")

    def _refuse(self, records: Sequence[Record], why: str) -> None:
        self._seldom.warn("records of other branches were not taken in", why)
        self._refused(records)
