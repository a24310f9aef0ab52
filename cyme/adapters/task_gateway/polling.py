"""Results from a store that must be asked: one greenlet asks for all who wait.

However many wait, there is one connection, and one look at the store at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

import gevent
from gevent.event import Event

from cyme.adapters.broker_calls import unavailable
from cyme.adapters.task_gateway.outcomes import outcome_of
from cyme.adapters.task_gateway.watches import Watch, Watches
from cyme.core.model import masked
from cyme.core.ports import Clock
from cyme.core.tasks import PENDING, Outcome
from cyme.errors import BrokerUnavailable

logger = logging.getLogger(__name__)

#: Intervals grow by this while nothing happens, from the store's shortest to its longest.
SLOWING = 1.5
RETRY_S_MAX = 2.0


class ResultStore(Protocol):
    """A result backend of Celery.

    Attributes:
        url: Where it is.
        interval_s_min: How soon it may be asked again after something happened.
        interval_s_max: How often it is asked while nothing happens.
    """

    url: str
    interval_s_min: float
    interval_s_max: float

    def look(self, task_ids: Sequence[str]) -> Mapping[str, bytes]:
        """Return the JSON that is there of the tasks; may raise anything."""

    def close(self) -> None:
        """Disconnect; a later look connects again."""


class PolledResults:
    """Asks a store for the outcomes that somebody waits for.

    Args:
        store: The store.
        clock: Time.
    """

    #: Workers need not be told where results go: they know the store.
    reply_queue = None

    def __init__(self, store: ResultStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._watches = Watches()
        self._fresh: list[str] = []
        self._called = Event()
        self._due_at = 0.0
        self._interval_s = store.interval_s_min
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to look, as soon as somebody waits."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Look no more and disconnect."""
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.kill()
        self._store.close()

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits."""
        return not self._watches

    def outcome(self, task_id: str, *, timeout_s: float) -> Outcome:
        """Return what the store holds of a task now.

        Raises:
            BrokerUnavailable: The store cannot be asked in time.
        """
        watch = self._watched(Watch(task_id, until_final=False), timeout_s)
        if not watch.over.is_set():
            raise self._absence(f"it does not answer within {timeout_s:g} s")
        return watch.result()

    def wait(self, task_id: str, *, timeout_s: float) -> Outcome:
        """Return a task's outcome once it is final, or what is known at the deadline.

        Raises:
            BrokerUnavailable: The store cannot be asked at the deadline.
        """
        return self._watched(Watch(task_id, until_final=True), timeout_s).result()

    def _watched(self, watch: Watch, timeout_s: float) -> Watch:
        self.start()
        with self._watches.added(watch):
            self._fresh.append(watch.task_id)
            self._interval_s = self._store.interval_s_min
            self._called.set()
            watch.over.wait(timeout_s)
        return watch

    # --- the greenlet that looks -----------------------------------------------------------------

    def _run(self) -> None:
        while True:
            left_s = max(0.0, self._due_at - self._clock.monotonic())
            self._called.wait(left_s if self._watches else None)
            self._called.clear()
            fresh, self._fresh = self._fresh, []
            # Who comes anew is served at once, all together at intervals.
            is_due = self._clock.monotonic() >= self._due_at
            wanted = self._watches.tasks() if is_due else list(dict.fromkeys(fresh))
            if wanted:
                self._look(wanted)
            if is_due:
                self._due_at = self._clock.monotonic() + self._interval_s

    def _look(self, wanted: list[str]) -> None:
        try:
            found = self._store.look(wanted)
            outcomes = {task_id: outcome_of(payload) for task_id, payload in found.items()}
        except Exception as exc:
            # Stores raise what their clients raise; it ends here, and the next look is a new one.
            logger.debug("the results of %s failed", masked(self._store.url), exc_info=True)
            self._fail(wanted, self._absence(exc))
            return
        for task_id in wanted:
            self._watches.tell(task_id, outcomes.get(task_id, PENDING))
        if any(outcome.state.is_final for outcome in outcomes.values()):
            self._interval_s = self._store.interval_s_min
        else:
            self._interval_s = min(self._store.interval_s_max, self._interval_s * SLOWING)

    def _absence(self, reason: object) -> BrokerUnavailable:
        return unavailable(self._store.url, reason, "The result backend")

    def _fail(self, wanted: list[str], failure: BrokerUnavailable) -> None:
        self._watches.fail(wanted, failure)
        slower_s = max(self._interval_s, self._store.interval_s_max) * SLOWING
        self._interval_s = min(RETRY_S_MAX, slower_s)
