"""The queues of one broker as they are looked at again and again, in a greenlet of their own.

A broker that hangs delays nobody but who asks for its queues.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import gevent
from gevent.event import Event as Signalled

from cyme.core.model import Broker
from cyme.core.ports import Clock, QueueProbe
from cyme.core.queue_history import QueueHistory, QueueLook
from cyme.core.queue_plan import BrokerQueues, Consumption
from cyme.core.vitals import QueueSight, QueueVitals
from cyme.errors import CymeError

logger = logging.getLogger(__name__)

#: Seconds between two looks while somebody wants to know, and otherwise.
WANTED_PERIOD_S: Final = 5.0
IDLE_PERIOD_S: Final = 30.0

#: Somebody wants to know for so long after having asked, in seconds.
WANTED_S: Final = 15.0

#: A look may take so long, in seconds.
LOOK_S: Final = 4.0

#: Queues of one broker that are looked at; of more it is told that they are not.
QUEUES_MAX: Final = 1_000

_TOO_MANY = (
    f"{QUEUES_MAX} other queues of this broker are watched already; ask for this one by itself"
)
_NOT_YET = "it has not been looked at yet"

_NOBODY = Consumption()


class WatchedBroker:
    """The queues of one broker.

    Args:
        key: The broker's key.
        broker: The broker.
        probe: Looks at its queues.
        clock: Time.
        consumption: Tells which workers consume from each queue, and what they took from it.
    """

    def __init__(
        self,
        key: str,
        broker: Broker,
        probe: QueueProbe,
        *,
        clock: Clock,
        consumption: Callable[[BrokerQueues], Mapping[str, Consumption]],
    ) -> None:
        self.key = key
        self.broker = broker
        self._probe = probe
        self._clock = clock
        self._consumption = consumption
        self._queues = BrokerQueues(queues={}, consumers={})
        self._histories: dict[str, QueueHistory] = {}
        self._known: dict[str, tuple[float, QueueVitals]] = {}
        self._wanted_at = -WANTED_S
        self._looked_at = -IDLE_PERIOD_S
        self._wake = Signalled()
        self._greenlet: gevent.Greenlet | None = None

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Look no more, and close the connection."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None
        self._probe.close()

    def plan(self, queues: BrokerQueues) -> None:
        """Say which queues there are; new ones are looked at soon."""
        if queues.queues.keys() - self._queues.queues.keys():
            self._looked_at = -IDLE_PERIOD_S
            self._wake.set()
        self._queues = queues
        for gone in self._histories.keys() - queues.queues.keys():
            del self._histories[gone]
            self._known.pop(gone, None)

    # --- what is known --------------------------------------------------------------------------

    def want(self) -> None:
        """Take note that somebody wants to know, so that it is looked at more often."""
        now = self._clock.monotonic()
        was_wanted = now - self._wanted_at < WANTED_S
        self._wanted_at = now
        if not was_wanted:
            self._wake.set()

    def rows(self) -> Iterable[QueueVitals]:
        """Return what the last look told, a row for each app that knows a queue."""
        for number, (name, apps) in enumerate(self._queues.queues.items()):
            row = self._now(name)
            if row is None:
                error = _NOT_YET if number < QUEUES_MAX else _TOO_MANY
                row = self._row(name, QueueSight(error=error), None)
            for app in apps:
                yield replace(row, app=app)

    def _now(self, name: str) -> QueueVitals | None:
        """Return what is known of a queue; what waited at the last look has waited on since."""
        known = self._known.get(name)
        if known is None:
            return None
        at, row = known
        if not row.depth or row.oldest_s is None:
            return row
        return replace(row, oldest_s=row.oldest_s + self._clock.monotonic() - at)

    def ask(self, app: str, queue: str, *, timeout_s: float) -> QueueVitals:
        """Look at a queue now."""
        sights = self._probe.look([queue], timeout_s=timeout_s)
        self._note(sights)
        return replace(self._known[queue][1], app=app)

    def purge(self, queue: str, *, count_max: int, timeout_s: float) -> int:
        """Remove what waits in a queue, and return how many messages that were."""
        count = self._probe.purge(queue, count_max=count_max, timeout_s=timeout_s)
        self._looked_at = -IDLE_PERIOD_S
        self._wake.set()
        return count

    # --- looks ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                if self._due_s() <= 0:
                    self.look()
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("looking at the queues of %s failed", self.broker.masked_url)
            self._wake.wait(max(0.1, self._due_s()))

    def _due_s(self) -> float:
        """Return after how many seconds the next look is due."""
        now = self._clock.monotonic()
        wanted = now - self._wanted_at < WANTED_S
        return self._looked_at + (WANTED_PERIOD_S if wanted else IDLE_PERIOD_S) - now

    def look(self) -> None:
        """Look at all queues; what cannot be looked at says why."""
        names = list(self._queues.queues)[:QUEUES_MAX]
        self._looked_at = self._clock.monotonic()
        if not names:
            return
        try:
            sights = self._probe.look(names, timeout_s=LOOK_S)
        except CymeError as exc:
            self._note(dict.fromkeys(names, QueueSight(error=exc.detail)))
            return
        late = QueueSight(error=f"the broker did not tell within {LOOK_S:g} s")
        self._note({name: sights.get(name, late) for name in names})

    def _note(self, sights: Mapping[str, QueueSight]) -> None:
        consumption = self._consumption(self._queues)
        now = self._clock.monotonic()
        for name, sight in sights.items():
            told, ours = sight.consumers, consumption.get(name, _NOBODY)
            consuming = told if told is not None else len(ours.nodes)
            history = self._histories.setdefault(name, QueueHistory())
            if sight.depth is not None:
                # A broker that counts consumers counts those of others too.
                is_all = told is None or told == len(ours.nodes)
                history.note(
                    QueueLook(
                        at=now,
                        depth=sight.depth,
                        idle=told == 0,
                        taken=ours.taken if is_all else None,
                        takers=ours.nodes,
                        untold=ours.untold,
                    )
                )
            self._known[name] = now, self._row(name, sight, history, consuming)

    def _row(
        self,
        name: str,
        sight: QueueSight,
        history: QueueHistory | None,
        consumers: int | None = None,
    ) -> QueueVitals:
        if sight.depth is None or history is None:
            error = sight.error
            return QueueVitals(app="", name=name, broker=self.broker.masked_url, error=error)
        came, went = history.rates()
        oldest_s = history.age_s(self._clock.monotonic())
        if sight.oldest_at is not None:
            oldest_s = max(0.0, self._clock.wall() - sight.oldest_at)
        return QueueVitals(
            app="",
            name=name,
            broker=self.broker.masked_url,
            depth=sight.depth,
            consumers=consumers,
            oldest_s=oldest_s,
            in_rate=came,
            out_rate=went,
        )
