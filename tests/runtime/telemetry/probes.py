"""Queues that exist in a test only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cyme.core.model import Broker
from cyme.core.vitals import QueueSight
from cyme.errors import BrokerUnavailable, Conflict


class FakeProbes:
    """The ``QueueProbes`` port: brokers whose queues hold what a test says.

    Attributes:
        sights: How each queue looks; one that is not here is empty.
        down: The URLs of brokers that do not answer.
        looks: What was looked at, in order: the broker's URL and the queues.
        opened: The URLs of brokers for which a probe was made, in order.
        closed: Those whose probe was closed.
        late: Queues that there is no time for.
    """

    def __init__(self) -> None:
        self.sights: dict[str, QueueSight] = {}
        self.down: set[str] = set()
        self.looks: list[tuple[str, tuple[str, ...]]] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.late: set[str] = set()

    def probe(self, broker: Broker) -> FakeProbe:
        self.opened.append(broker.url)
        return FakeProbe(self, broker)


class FakeProbe:
    def __init__(self, all_of_them: FakeProbes, broker: Broker) -> None:
        self._all = all_of_them
        self._broker = broker

    def look(self, queues: Sequence[str], *, timeout_s: float) -> Mapping[str, QueueSight]:
        self._all.looks.append((self._broker.url, tuple(queues)))
        self._check()
        empty = QueueSight(depth=0)
        return {
            name: self._all.sights.get(name, empty) for name in queues if name not in self._all.late
        }

    def purge(self, queue: str, *, count_max: int, timeout_s: float) -> int:
        self._check()
        depth = self._all.sights.get(queue, QueueSight(depth=0)).depth or 0
        if depth > count_max:
            raise Conflict("There are more.")
        self._all.sights.pop(queue, None)
        return depth

    def close(self) -> None:
        self._all.closed.append(self._broker.url)

    def _check(self) -> None:
        if self._broker.url in self._all.down:
            raise BrokerUnavailable(f"The broker {self._broker.masked_url} cannot be reached.")
