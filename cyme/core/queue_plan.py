"""Which queues there are on which brokers, who consumes from them, and what was taken from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cyme.core.collectors import broker_key
from cyme.core.model import App, Broker, Instance, Queue
from cyme.core.task_events import TaskDeed
from cyme.core.task_ledger import TaskCount


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerQueues:
    """The queues on one broker.

    Attributes:
        queues: Each with the apps that know it, sorted by name.
        consumers: For each instance on the broker the queues that it is to consume from.
    """

    queues: Mapping[str, tuple[str, ...]]
    consumers: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """Who consumes from a queue, and what they took.

    Attributes:
        nodes: The workers, by their node names.
        taken: How many messages they took since some moment in the past; None if not known.
        untold: How many more they took since then, from this queue or from another one.
    """

    nodes: frozenset[str] = frozenset()
    taken: int | None = None
    untold: int = 0


def queues_by_broker(
    apps: Iterable[App],
    queues: Iterable[Queue],
    instances: Iterable[Instance],
    default: Broker,
) -> Mapping[str, BrokerQueues]:
    """Return the queues of all brokers, by the brokers' keys.

    A queue is on the broker of its app, and on those of the instances that consume from it.

    Args:
        apps: All apps.
        queues: All queue declarations.
        instances: All instances.
        default: The broker of apps that name none.
    """
    of_apps = {app.name: app.spec.broker or default for app in apps}
    keys = {broker: broker_key(broker) for broker in {*of_apps.values(), default}}
    found: dict[str, dict[str, set[str]]] = {}
    consumers: dict[str, dict[str, frozenset[str]]] = {}
    for queue in queues:
        key = keys[of_apps.get(queue.app, default)]
        found.setdefault(key, {}).setdefault(queue.name, set()).add(queue.app)
    for instance in instances:
        broker = instance.spec.broker or of_apps.get(instance.app, default)
        key = keys.get(broker) or keys.setdefault(broker, broker_key(broker))
        consumers.setdefault(key, {})[instance.name] = frozenset(instance.queues)
        for name in instance.queues:
            found.setdefault(key, {}).setdefault(name, set()).add(instance.app)
    return {
        key: BrokerQueues(
            queues={name: tuple(sorted(known[name])) for name in sorted(known)},
            consumers=consumers.get(key, {}),
        )
        for key, known in found.items()
    }


def consumption_of(
    queues: Iterable[str],
    consumers: Mapping[str, frozenset[str]],
    counts: Sequence[TaskCount],
    unplaced: Mapping[str, int],
    heard: Collection[str],
) -> Mapping[str, Consumption]:
    """Return who consumes from queues, and what they took, as their events tell.

    A worker's events tell the queue of a task only where who sent it told. Of a worker that
    consumes from one queue alone it is known anyhow, its direct queue aside.

    Args:
        queues: The queues.
        consumers: The queues of each worker, by its node name.
        counts: What is counted of events.
        unplaced: How many more tasks each worker took lately whose queue is still to be told.
        heard: The nodes whose events come at this moment.
    """
    received: dict[tuple[str, str], int] = {}
    for row in counts:
        if row.deed is TaskDeed.RECEIVED:
            key = (row.worker, row.queue)
            received[key] = received.get(key, 0) + row.count
    consuming: dict[str, list[str]] = {queue: [] for queue in queues}
    for node, names in consumers.items():
        for name in names & consuming.keys():
            consuming[name].append(node)

    def taken(queue: str, nodes: Sequence[str]) -> int | None:
        count = 0
        for node in nodes:
            if node not in heard:
                return None
            count += received.get((node, queue), 0)
            if len(consumers[node]) == 1:
                count += received.get((node, ""), 0) + unplaced.get(node, 0)
        return count

    def untold(nodes: Sequence[str]) -> int:
        return sum(received.get((node, ""), 0) for node in nodes if len(consumers[node]) > 1)

    return {
        queue: Consumption(nodes=frozenset(nodes), taken=taken(queue, nodes), untold=untold(nodes))
        for queue, nodes in consuming.items()
    }
