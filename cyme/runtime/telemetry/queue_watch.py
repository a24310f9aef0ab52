"""Watches the queues on the brokers that this branch collects for all others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate, islice
from typing import Final

import gevent
from gevent.event import Event as Signalled

from cyme.core.collectors import broker_key, brokers_in_use, collector_of
from cyme.core.model import Broker, Instance, Queue, Record
from cyme.core.names import node_name
from cyme.core.ports import Clock, Members, QueueProbes
from cyme.core.queue_plan import BrokerQueues, Consumption, consumption_of, queues_by_broker
from cyme.core.status import InstanceState
from cyme.core.task_ledger import TaskLedger
from cyme.core.vitals import QueueVitals
from cyme.runtime.replica import Replica
from cyme.runtime.telemetry.broker_queues import WatchedBroker

logger = logging.getLogger(__name__)

#: Which brokers are this branch's to watch is judged again so often, in seconds.
JUDGE_S: Final = 5.0

#: Brokers that one branch watches.
BROKERS_MAX: Final = 64

#: Rows that one branch tells, and their bytes: they have to fit into an answer to another branch,
#: beside what there is to tell of a thousand instances.
ROWS_MAX: Final = 2_000
BYTES_MAX: Final = 250_000

#: Bytes of a row beside its texts.
_ROW_BYTES: Final = 130

STOP_S: Final = 2.0

#: Workers in these states consume.
_CONSUMING = frozenset({InstanceState.RUNNING, InstanceState.UNRESPONSIVE})


class QueueWatch:
    """Watches queues; ``cyme.runtime.service.Watching``.

    Args:
        probes: Looks at queues.
        replica: The records.
        members: The branches.
        clock: Time.
        default_broker: The broker of apps that name none.
        state_of: Tells the state of an instance, whoever owns it.
        ledgers: What the events of workers came to, by the keys of their brokers.
    """

    def __init__(
        self,
        *,
        probes: QueueProbes,
        replica: Replica,
        members: Members,
        clock: Clock,
        default_broker: Broker,
        state_of: Callable[[Instance], InstanceState],
        ledgers: Callable[[], Mapping[str, TaskLedger]] = dict,
    ) -> None:
        self._probes = probes
        self._replica = replica
        self._members = members
        self._clock = clock
        self._default_broker = default_broker
        self._state_of = state_of
        self._ledgers = ledgers
        self._watched: dict[str, WatchedBroker] = {}
        self._wake = Signalled()
        self._greenlet: gevent.Greenlet | None = None

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to watch."""
        self._replica.listen(self._on_records)
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Watch no more, and close all connections."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None
        watched, self._watched = list(self._watched.values()), {}
        gevent.joinall([gevent.spawn(each.stop, STOP_S) for each in watched], timeout=timeout_s)

    def _on_records(self, records: Sequence[Record], _here: bool) -> None:
        if any(isinstance(record, Queue) for record in records):
            self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                self.judge()
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("judging which queues to watch failed")
            self._wake.wait(JUDGE_S)

    def judge(self) -> None:
        """Begin to watch the brokers that are this branch's to watch, and leave the others."""
        apps, instances = self._replica.apps(), self._replica.instances()
        brokers, owners = brokers_in_use(apps, instances, self._default_broker)
        queues = queues_by_broker(
            apps,
            (queue for app in apps for queue in self._replica.queues_of(app.name)),
            instances,
            self._default_broker,
        )
        branches = self._members.view().branches
        me = self._replica.branch_id
        mine = [
            key for key in queues if collector_of(key, branches, owners.get(key, frozenset())) == me
        ][:BROKERS_MAX]
        for key, watched in list(self._watched.items()):
            if key not in mine or watched.broker != brokers[key]:
                del self._watched[key]
                gevent.spawn(watched.stop, STOP_S)
        for key in mine:
            if key not in self._watched:
                self._watched[key] = self._new(key, brokers[key])
                self._watched[key].start()
            self._watched[key].plan(queues[key])

    def _new(self, key: str, broker: Broker) -> WatchedBroker:
        return WatchedBroker(
            key,
            broker,
            self._probes.probe(broker),
            clock=self._clock,
            consumption=lambda queues: self._consumption(key, queues),
        )

    # --- what others ask ------------------------------------------------------------------------

    def rows(self) -> tuple[QueueVitals, ...]:
        """Return what is known of the queues on the brokers that this branch collects.

        Who asks wants to know, so they are looked at more often for a while.
        """
        for watched in self._watched.values():
            watched.want()
        return self.known()

    def known(self) -> tuple[QueueVitals, ...]:
        """Return the same; nothing is looked at more often because of that."""
        rows = (row for watched in self._watched.values() for row in watched.rows())
        told = list(islice(rows, ROWS_MAX))
        sizes = accumulate(map(_size_of, told))
        return tuple(row for row, size in zip(told, sizes, strict=True) if size <= BYTES_MAX)

    def ask(self, broker: Broker, app: str, queue: str, *, timeout_s: float) -> QueueVitals:
        """Return how a queue does at this moment.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
        """
        with self._watched_or_visited(broker) as watched:
            return watched.ask(app, queue, timeout_s=timeout_s)

    def purge(self, broker: Broker, queue: str, *, count_max: int, timeout_s: float) -> int:
        """Remove what waits in a queue, and return how many messages that were.

        Raises:
            Conflict: There are more than ``count_max``; nothing was removed.
            BrokerUnavailable: The broker cannot be reached, or hangs.
        """
        with self._watched_or_visited(broker) as watched:
            return watched.purge(queue, count_max=count_max, timeout_s=timeout_s)

    @contextmanager
    def _watched_or_visited(self, broker: Broker) -> Iterator[WatchedBroker]:
        """Give the watched broker, or one that is there for this once alone.

        It is watched by one of the URLs that it goes by; who has another one uses that.
        """
        key = broker_key(broker)
        watched = self._watched.get(key)
        if watched is not None and watched.broker == broker:
            yield watched
            return
        visited = self._new(key, broker)
        try:
            yield visited
        finally:
            visited.stop(STOP_S)

    # --- who consumes ---------------------------------------------------------------------------

    def _consumption(self, key: str, queues: BrokerQueues) -> Mapping[str, Consumption]:
        """Return which workers consume from each queue, and what they took from it."""
        by_node: dict[str, frozenset[str]] = {}
        for name, consumed in queues.consumers.items():
            instance = self._replica.instance(name)
            if instance is not None and self._state_of(instance) in _CONSUMING:
                by_node[node_name(name, instance.owner)] = consumed
        ledger = self._ledgers().get(key)
        if ledger is None:
            return consumption_of(queues.queues, by_node, (), {}, ())
        heard = {each.node for each in ledger.workers(self._clock.wall()) if each.is_up}
        counts, unplaced = ledger.counts(), ledger.unplaced()
        return consumption_of(queues.queues, by_node, counts, unplaced, heard)


def _size_of(row: QueueVitals) -> int:
    """Return about how many bytes a row takes in an answer to another branch."""
    return _ROW_BYTES + sum(map(len, (row.app, row.name, row.broker, row.error)))
