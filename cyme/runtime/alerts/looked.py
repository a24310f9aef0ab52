"""What is seen at one moment, and who tells of it.

Exactly one branch tells of each: the owner of its instances and its database, the collector of a
broker of that and of its queues, and of a branch that failed the first of the living by a
rendezvous hash.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from cyme.core.alerts import AlertKey, AlertKind, Condition, Ground
from cyme.core.branches import BranchInfo, BranchState
from cyme.core.collectors import broker_key, brokers_in_use, collector_of
from cyme.core.model import BranchId, Broker
from cyme.core.ports import Clock, Members
from cyme.core.status import InstanceState, InstanceStatus
from cyme.core.vitals import QueueVitals
from cyme.runtime.brokers import BrokerView
from cyme.runtime.replica import Replica

#: A queue is not deep any more once it holds less than this part of its threshold.
SHALLOW_PART: Final = 0.8

OF_INSTANCES: Final = {
    InstanceState.DISABLED: AlertKind.INSTANCE_DISABLED,
    InstanceState.UNRESPONSIVE: AlertKind.INSTANCE_UNRESPONSIVE,
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How many messages a queue may hold.

    Attributes:
        depth: Any queue; 0 for any number.
        by_queue: Queues of these names, instead.
    """

    depth: int = 10_000
    by_queue: Mapping[str, int] = field(default_factory=dict)

    def of(self, queue: str) -> int:
        """Return how many messages a queue may hold; 0 for any number."""
        return self.by_queue.get(queue, self.depth)


class Statuses(Protocol):
    """Tells how the instances of this branch are."""

    def status(self, instance: str) -> InstanceStatus:
        """Return the state of an instance."""


class Views(Protocol):
    """Tells how brokers are."""

    def views(self) -> Sequence[tuple[Broker, BrokerView]]:
        """Return what is known of every broker in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where trouble is seen.

    Attributes:
        replica: The records.
        members: The branches.
        supervisor: Tells how the instances of this branch are.
        brokers: Tells how brokers are.
        queues: Returns what is known of the queues that this branch watches.
        clock: Time.
        default_broker: The broker of apps that name none.
        thresholds: How many messages queues may hold.
    """

    replica: Replica
    members: Members
    supervisor: Statuses
    brokers: Views
    queues: Callable[[], Sequence[QueueVitals]]
    clock: Clock
    default_broker: Broker
    thresholds: Thresholds


class Looked:
    """What is seen at one moment.

    Args:
        sources: Where it is seen.
        deep: The queues that are told to be deep, by app and name.
    """

    def __init__(self, sources: Sources, deep: Collection[tuple[str | None, str]]) -> None:
        self._sources = sources
        self._deep = deep
        self._replica = sources.replica
        self._me = sources.replica.branch_id
        self._branches = {info.id: info for info in sources.members.view().branches}
        self._collectors: dict[str, BranchId | None] = {}
        self._rows = {(row.app, row.name): row for row in sources.queues()}
        views = sources.brokers.views()
        self._brokers = {broker.masked_url: (broker, view) for broker, view in views}

    def conditions(self) -> Iterator[Condition]:
        """Return all that holds and is this branch's to tell."""
        yield from self._of_instances()
        yield from self._of_branches()
        yield from self._of_queues()
        yield from self._of_brokers()
        yield from self._of_database()

    def ground(self, key: AlertKey) -> Ground:
        """Say why something is not among the conditions."""
        match key.kind:
            case AlertKind.BRANCH_FAILED:
                return Ground.OVER if self._tells_of(key.subject) else Ground.ELSEWHERE
            case AlertKind.BROKER_LOST:
                return self._ground_of_broker(key.subject)
            case AlertKind.QUEUE_DEEP | AlertKind.QUEUE_UNCONSUMED:
                return self._ground_of_queue(key)
            case AlertKind.DATABASE_LOST:
                return Ground.OVER
        instance = self._replica.instance(key.subject)
        if instance is not None and instance.owner != self._me:
            return Ground.ELSEWHERE
        return Ground.OVER

    def _of_instances(self) -> Iterator[Condition]:
        for instance in self._replica.instances_owned():
            status = self._sources.supervisor.status(instance.name)
            kind = OF_INSTANCES.get(status.state)
            if kind is not None:
                key = AlertKey(kind=kind, subject=instance.name, app=instance.app)
                yield Condition(key=key, reason=status.reason, since=status.since or None)

    def _of_branches(self) -> Iterator[Condition]:
        for info in self._branches.values():
            if info.state is BranchState.FAILED and self._tells_of(info.id):
                key = AlertKey(kind=AlertKind.BRANCH_FAILED, subject=info.id)
                yield Condition(
                    key=key,
                    reason=_why_failed(info),
                    since=info.since or None,
                    # Once it is back it speaks of itself anew, so this life fails only once.
                    occurrence=f"{info.boot}.{info.incarnation}",
                )

    def _tells_of(self, branch: str) -> bool:
        """Tell whether this branch is the one to say that another has failed."""
        return collector_of(f"branch {branch}", self._branches.values()) == self._me

    def _of_queues(self) -> Iterator[Condition]:
        for row in self._rows.values():
            if row.depth is None:
                continue
            threshold = self._sources.thresholds.of(row.name)
            most = threshold * (SHALLOW_PART if (row.app, row.name) in self._deep else 1)
            if threshold and row.depth > most:
                key = AlertKey(kind=AlertKind.QUEUE_DEEP, subject=row.name, app=row.app)
                reason = f"{_waiting(row.depth)}, and more than {threshold} are too many"
                yield Condition(key=key, reason=reason)
            if row.depth and row.consumers == 0:
                key = AlertKey(kind=AlertKind.QUEUE_UNCONSUMED, subject=row.name, app=row.app)
                reason = f"{_waiting(row.depth)}, and no worker consumes from the queue"
                yield Condition(key=key, reason=reason)

    def _ground_of_queue(self, key: AlertKey) -> Ground:
        row = self._rows.get((key.app or "", key.subject))
        if row is not None:
            return Ground.UNKNOWN if row.depth is None else Ground.OVER
        app = self._replica.app(key.app or "")
        if app is None:
            return Ground.OVER
        broker = app.spec.broker or self._sources.default_broker
        return Ground.UNKNOWN if self._collects(broker) else Ground.ELSEWHERE

    def _of_brokers(self) -> Iterator[Condition]:
        now, wall = self._sources.clock.monotonic(), self._sources.clock.wall()
        for url, (broker, view) in self._brokers.items():
            if view.up is False and self._collects(broker):
                yield Condition(
                    key=AlertKey(kind=AlertKind.BROKER_LOST, subject=url),
                    reason=view.reason or "it does not answer",
                    since=wall - (now - view.since),
                )

    def _ground_of_broker(self, url: str) -> Ground:
        if url not in self._brokers:
            return Ground.OVER
        broker, view = self._brokers[url]
        if not self._collects(broker):
            return Ground.ELSEWHERE
        return Ground.UNKNOWN if view.up is None else Ground.OVER

    def _of_database(self) -> Iterator[Condition]:
        fault = self._replica.storage_fault()
        if fault is not None:
            key = AlertKey(kind=AlertKind.DATABASE_LOST, subject=self._me)
            yield Condition(key=key, reason=fault)

    def _collects(self, broker: Broker) -> bool:
        key = broker_key(broker)
        if key not in self._collectors:
            _, owners = brokers_in_use(
                self._replica.apps(), self._replica.instances(), self._sources.default_broker
            )
            branches = self._branches.values()
            self._collectors[key] = collector_of(key, branches, owners.get(key, frozenset()))
        return self._collectors[key] == self._me


def _why_failed(info: BranchInfo) -> str:
    return f"nothing was heard of branch {info.id} for {info.heard_s:.0f} s"


def _waiting(messages: int) -> str:
    return "1 message waits" if messages == 1 else f"{messages} messages wait"
