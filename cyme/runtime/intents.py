"""From records to intents: what the supervisor is to make true."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256

from cyme.core.launch import WorkerDefaults, effective_spec, launch_of, pool_of
from cyme.core.model import App, Broker, Instance, Queue, Record, WorkerSpec
from cyme.core.names import direct_queue
from cyme.core.supervision import Wish
from cyme.core.workers import Launch
from cyme.errors import InvalidRequest
from cyme.runtime.charges import Intent
from cyme.runtime.replica import Replica


class RecordIntents:
    """Reads intents from the replica.

    Args:
        replica: The records.
        defaults: What the branch gives to all its workers.
        default_broker: The broker of instances whose app has none (any more).
    """

    def __init__(self, replica: Replica, defaults: WorkerDefaults, default_broker: Broker) -> None:
        self._replica = replica
        self._defaults = defaults
        self._default_broker = default_broker

    def __call__(self, instance: Instance, *, restarts_asked: int) -> Intent:
        """As ``cyme.runtime.charges.Intents``."""
        app = self._replica.app(instance.app)
        spec = effective_spec(instance, app, self._default_broker)
        queues = self._replica.queues_consumed(instance)

        def launch(without: Collection[str] = ()) -> Launch:
            allowed = [queue for queue in queues if queue.name not in without]
            return launch_of(instance, spec, allowed, self._defaults)

        try:
            wish = _wish(instance, spec, queues, launch().digest, restarts_asked)
        except InvalidRequest as exc:
            # A newer Cyme knows more options than an older one that reads its records.
            wish = Wish(runs=False, why_not=exc.detail, removed=instance.deleted)
        return Intent(wish, spec.broker or self._default_broker, launch)


def _wish(
    instance: Instance,
    spec: WorkerSpec,
    queues: Sequence[Queue],
    digest: str,
    restarts_asked: int,
) -> Wish:
    pool = pool_of(spec)
    why_not = ""
    if instance.deleted:
        why_not = "it was deleted"
    elif not spec.is_enabled:
        why_not = "it is not enabled"
    limits = None
    if pool.can_autoscale:
        limits = (spec.min_concurrency or 1, spec.max_concurrency or 1)
    return Wish(
        runs=not why_not,
        removed=instance.deleted,
        is_enabled=spec.is_enabled is not False,
        why_not=why_not,
        digest=digest,
        queues={
            direct_queue(instance.name): "",
            **{queue.name: declaration_digest(queue) for queue in queues},
        },
        limits=limits,
        answers_when_busy=pool.answers_when_busy,
        restarts_asked=restarts_asked,
    )


def declaration_digest(queue: Queue) -> str:
    """Return what changes whenever the declaration of a queue does."""
    parts = (queue.exchange, queue.exchange_type, queue.routing_key, queue.options)
    return sha256(repr(parts).encode()).hexdigest()


def concerned(records: Iterable[Record], replica: Replica) -> set[str]:
    """Return the names of the instances whose intents a change of the records may change."""
    names: set[str] = set()
    for record in records:
        match record:
            case Instance():
                names.add(record.name)
            case App():
                names.update(each.name for each in replica.instances_of(record.name))
            case Queue():
                names.update(
                    each.name
                    for each in replica.instances_of(record.app)
                    if record.name in each.queues
                )
    return names
