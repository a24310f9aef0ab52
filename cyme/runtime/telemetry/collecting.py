"""Which brokers this branch collects for, and the ledger and the listener of each.

Every branch judges by itself, again and again, as branches and records come and go. A ledger
outlives the listener for an hour, so that nothing is forgotten when another branch takes over.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

import gevent
from gevent.event import Event as Signalled

from cyme.core.collectors import broker_key, brokers_in_use, collector_of
from cyme.core.model import BranchId, Broker, Record
from cyme.core.ports import Clock, EventListener, EventListeners, Members
from cyme.core.task_events import TaskEvent, WorkerEvent
from cyme.core.task_ledger import TaskLedger
from cyme.runtime.replica import Replica
from cyme.runtime.telemetry.task_feed import TaskFeed

logger = logging.getLogger(__name__)

#: Who collects is judged again so often, in seconds.
JUDGE_S: Final = 2.0

#: After records changed it is judged so soon, in seconds: before a worker that was just asked for
#: has started, as nobody keeps its first events for a listener that comes late.
SETTLE_S: Final = 0.2

#: What nobody was heard of for long is forgotten so often, in seconds.
FORGET_S: Final = 60.0

#: A ledger is kept for so long after another branch took over, in seconds, and a branch that
#: collected is asked for it.
KEPT_S: Final = 3600.0

#: Brokers that one branch listens to.
LISTENERS_MAX: Final = 64

#: Ledgers that one branch keeps; the one that was left longest ago makes room.
LEDGERS_MAX: Final = 2 * LISTENERS_MAX

LISTENER_STOP_S: Final = 2.0


class Collected:
    """A broker's ledger, and the listener that fills it; the ``EventSink`` port.

    Attributes:
        key: The broker's key.
        broker: The broker.
        ledger: What its events come to.
        left_at: Since when another branch listens (monotonic seconds); None if this one does.
    """

    def __init__(self, key: str, broker: Broker, clock: Clock, feed: TaskFeed) -> None:
        self.key = key
        self.broker = broker
        self.ledger = TaskLedger()
        self.left_at: float | None = None
        self.listener: EventListener | None = None
        self._clock = clock
        self._feed = feed
        self._is_lost = False

    def take(self, events: Sequence[TaskEvent | WorkerEvent]) -> None:
        """Enter events."""
        now = self._clock.wall()
        for event in events:
            task = self.ledger.take(event, now)
            if task is not None and isinstance(event, TaskEvent):
                self._feed.put(task, event)

    def on_shed(self, events: int) -> None:
        """Count events that were left out."""
        self.ledger.shed += events

    def on_unreadable(self, messages: int) -> None:
        """Count messages that were no events."""
        self.ledger.unreadable += messages

    def on_connected(self) -> None:
        """Take note that events come."""
        self._is_lost = False
        logger.info("listening to the events of workers on %s", self.broker.masked_url)

    def on_lost(self, reason: str) -> None:
        """Take note that they come no more; told once until they come again."""
        if not self._is_lost:
            self._is_lost = True
            self.ledger.interruptions += 1
            logger.warning("no events of workers on %s: %s", self.broker.masked_url, reason)


class Collecting:
    """Keeps the ledgers of the brokers that this branch collects for.

    Args:
        listeners: Makes the listeners.
        replica: The records.
        members: The branches.
        clock: Time.
        default_broker: The broker of apps that name none.
        feed: Where events of tasks are passed on.
    """

    def __init__(
        self,
        *,
        listeners: EventListeners,
        replica: Replica,
        members: Members,
        clock: Clock,
        default_broker: Broker,
        feed: TaskFeed,
    ) -> None:
        self._listeners = listeners
        self._replica = replica
        self._members = members
        self._clock = clock
        self._default_broker = default_broker
        self._feed = feed
        self._collected: dict[str, Collected] = {}
        self._seen_collecting: dict[BranchId, float] = {}
        self._in_use: tuple[Mapping[str, Broker], Mapping[str, frozenset[BranchId]]] = ({}, {})
        self._is_outdated = True
        self._forgot_at = clock.monotonic()
        self._greenlet: gevent.Greenlet | None = None
        self._wake = Signalled()
        replica.listen(self._on_records)  # who collects is asked before it begins, too

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to judge, and to listen where this branch is to."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Listen no more; the ledgers stay."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None
        leaving = [gevent.spawn(self._leave, each) for each in self._collected.values()]
        gevent.joinall(leaving, timeout=timeout_s)

    def _on_records(self, _records: Sequence[Record], _here: bool) -> None:
        self._is_outdated = True
        self._wake.set()

    def _run(self) -> None:
        while True:
            try:
                self.judge()
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("judging who collects failed")
            if self._wake.wait(JUDGE_S):
                gevent.sleep(SETTLE_S)
                self._wake.clear()

    # --- who collects ---------------------------------------------------------------------------

    def collector(self, broker: Broker) -> BranchId | None:
        """Return the branch that collects for a broker, None if none is there."""
        return self._collector(broker_key(broker))

    def collectors(self) -> set[BranchId]:
        """Return the branches that collect for any broker now."""
        self._refresh()
        found = {self._collector(key) for key in self._in_use[0]}
        return {branch for branch in found if branch is not None}

    def sources(self) -> set[BranchId]:
        """Return the branches that may have a ledger: those that collect, or did lately."""
        return self.collectors() | self._seen_collecting.keys()

    def _collector(self, key: str) -> BranchId | None:
        self._refresh()
        found = (self._members.info(branch) for branch in self._members.ids())
        branches = [info for info in found if info is not None]
        return collector_of(key, branches, self._in_use[1].get(key, frozenset()))

    def _refresh(self) -> None:
        if self._is_outdated:
            self._is_outdated = False
            self._in_use = brokers_in_use(
                self._replica.apps(), self._replica.instances(), self._default_broker
            )

    def judge(self) -> None:
        """Begin to listen where this branch is to, and end it where another one is to."""
        self._refresh()
        now = self._clock.monotonic()
        mine: dict[str, Broker] = {}
        for key, broker in self._in_use[0].items():
            branch = self._collector(key)
            if branch is not None:
                self._seen_collecting[branch] = now
            if branch == self._replica.branch_id and len(mine) < LISTENERS_MAX:
                mine[key] = broker
        for key, broker in mine.items():
            self._listen(key, broker)
        for key, collected in self._collected.items():
            if key not in mine and collected.left_at is None:
                collected.left_at = now
                gevent.spawn(self._leave, collected)
        self._make_room()
        self._forget(now)

    def _listen(self, key: str, broker: Broker) -> None:
        collected = self._collected.get(key)
        if collected is None or collected.broker != broker:
            if collected is not None:
                gevent.spawn(self._leave, collected)
            ledger = collected.ledger if collected is not None else None
            collected = Collected(key, broker, self._clock, self._feed)
            collected.ledger = ledger or collected.ledger
            self._collected[key] = collected
        collected.left_at = None
        if collected.listener is None:
            collected.listener = self._listeners.listener(broker, collected)
            collected.listener.start()

    def _leave(self, collected: Collected) -> None:
        listener, collected.listener = collected.listener, None
        if listener is not None:
            listener.stop(LISTENER_STOP_S)

    def _make_room(self) -> None:
        """Forget ledgers where there are too many."""
        left = [
            (each.left_at, key) for key, each in self._collected.items() if each.left_at is not None
        ]
        for _, key in sorted(left)[: max(0, len(self._collected) - LEDGERS_MAX)]:
            del self._collected[key]

    def _forget(self, now: float) -> None:
        if now - self._forgot_at < FORGET_S:
            return
        self._forgot_at = now
        old = now - KEPT_S
        self._seen_collecting = {
            branch: seen for branch, seen in self._seen_collecting.items() if seen > old
        }
        for key, each in list(self._collected.items()):
            if each.left_at is not None and each.left_at < old:
                del self._collected[key]
            else:
                each.ledger.forget(self._clock.wall())

    # --- what is known --------------------------------------------------------------------------

    def ledgers(self) -> Mapping[str, TaskLedger]:
        """Return the ledgers of this branch, by the keys of their brokers."""
        return {key: each.ledger for key, each in self._collected.items()}

    def listening(self) -> frozenset[str]:
        """Return the keys of the brokers that this branch listens to now."""
        return frozenset(key for key, each in self._collected.items() if each.left_at is None)

    def enter(self, key: str, event: TaskEvent) -> bool:
        """Enter what did not come from the broker; tell whether there is a ledger for it."""
        collected = self._collected.get(key)
        if collected is None:
            return False
        collected.take([event])
        return True
