"""What replies are made of: one type a noun, and how it is made from a record.

A password is shown in full to whoever may write, and masked to a viewer; a URL is masked always.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from cyme.core.access import Caller, Role
from cyme.core.branches import BranchInfo, BranchState, BranchVitals, ClusterView
from cyme.core.events import Event
from cyme.core.model import MASK, App, Broker, Instance, Queue, WorkerSpec, env_map, masked
from cyme.core.placement import Move
from cyme.core.status import InstanceState
from cyme.runtime.service import Standing

_BROKERS_CACHED_MAX = 512

#: What anybody may see of a worker's connection, and what nobody may.
_BROKER_STATS = frozenset(
    {"connect_timeout", "heartbeat", "hostname", "insist", "port", "transport", "virtual_host"}
)
_BROKER_STATS_SECRET = frozenset({"alternates", "login_method", "uri_prefix"})


class BrokerReply(msgspec.Struct, frozen=True):
    """The connection parameters of a broker."""

    hostname: str | None
    port: int | None
    userid: str | None
    password: str | None
    virtual_host: str
    url: str


class WorkerReply(msgspec.Struct, frozen=True, kw_only=True):
    """How workers are run."""

    name: str
    broker: BrokerReply | None
    result_backend: str | None
    pool: str | None
    min_concurrency: int | None
    max_concurrency: int | None
    arguments: str | None
    extra_config: str | None
    is_enabled: bool | None
    celery_app: str | None
    workdir: str | None
    python: str | None
    env: Mapping[str, str] | None
    labels: Mapping[str, str] | None


class AppReply(WorkerReply, frozen=True, kw_only=True):
    """The configuration of an app: the default of its instances, and their names."""

    instances: Sequence[str]
    version: int
    created_at: datetime
    updated_at: datetime


class InstanceReply(WorkerReply, frozen=True, kw_only=True):
    """An instance: how it is run, its app's and the usual defaults included, and how it fares."""

    app: str
    branch: str
    queues: Sequence[str]
    state: InstanceState
    reason: str
    pids: Sequence[int]
    restarts: int
    as_of: datetime
    version: int
    created_at: datetime
    updated_at: datetime


class QueueReply(msgspec.Struct, frozen=True, kw_only=True):
    """A queue declaration; null is what its maker left to the default."""

    name: str
    exchange: str | None
    exchange_type: str | None
    routing_key: str | None
    options: msgspec.Raw | None


class BranchReply(msgspec.Struct, frozen=True, kw_only=True):
    """A branch, as this one knows it; how it does is null where it cannot be asked."""

    id: str
    state: BranchState
    url: str | None
    address: str | None
    port: int | None
    loglevel: str
    logfile: str | None
    numc: int
    sup_interval: float
    version: str
    labels: Mapping[str, str]
    drained: bool
    capacity: int
    instances: int
    load: float | None
    hub_lag_s: float | None
    boot: int
    incarnation: int
    since: datetime
    heard_s: float
    accused_by: str | None


class MemberReply(msgspec.Struct, frozen=True, kw_only=True):
    """A branch as a member of the cluster; ``epochs`` is the sum of those of its instances."""

    id: str
    state: BranchState
    incarnation: int
    boot: int
    since: datetime
    heard_s: float
    accused_by: str | None
    instances: int
    epochs: int
    url: str | None


class ClusterReply(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster as this branch sees it; whoever has the same digest knows the same."""

    name: str
    branch: str
    digest: str
    fenced: bool
    branches: Sequence[MemberReply]


class MoveReply(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that is to move; without a target it stays, for the reason that is given."""

    instance: str
    source: str
    target: str | None
    reason: str


class EventReply(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened."""

    seq: int
    at: datetime
    kind: str
    reason: str
    app: str | None
    instance: str | None
    data: Mapping[str, Any]


class Ok(msgspec.Struct, frozen=True):
    """It is done."""

    ok: str = "ok"


class Accepted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """It will be done."""

    name: str
    app: str
    instance: str | None = None


class Limits(msgspec.Struct, frozen=True):
    """The limits of an instance's concurrency."""

    max: int
    min: int


class Representations:
    """Makes replies from records.

    The parts of a broker's URL are taken apart once a broker: a read of an instance spends
    most of its time there otherwise.
    """

    def __init__(self) -> None:
        self._brokers: dict[tuple[str, bool], BrokerReply] = {}

    def app(self, app: App, instances: Sequence[str], caller: Caller) -> AppReply:
        """Return an app as ``caller`` may see it.

        Args:
            app: Its record.
            instances: Names of its instances.
            caller: Who is answered.
        """
        return AppReply(
            name=app.name,
            instances=instances,
            version=app.version,
            created_at=_moment(app.created_at),
            updated_at=_moment(app.updated_at),
            **self._worker(app.spec, caller),
        )

    def instance(
        self, instance: Instance, spec: WorkerSpec, standing: Standing, caller: Caller
    ) -> InstanceReply:
        """Return an instance as ``caller`` may see it.

        Args:
            instance: Its record.
            spec: How it is run, defaults included.
            standing: How it fares, and when that was so.
            caller: Who is answered.
        """
        status = standing.status
        return InstanceReply(
            name=instance.name,
            app=instance.app,
            branch=instance.owner,
            queues=instance.queues,
            state=status.state,
            reason=status.reason,
            pids=status.pids,
            restarts=status.restarts,
            as_of=_moment(standing.as_of),
            version=instance.version,
            created_at=_moment(instance.created_at),
            updated_at=_moment(instance.updated_at),
            **self._worker(spec, caller),
        )

    def _worker(self, spec: WorkerSpec, caller: Caller) -> dict[str, Any]:
        may_write = caller.role >= Role.OPERATOR
        env = None
        if spec.env is not None:
            env = env_map(spec) if may_write else {name: MASK for name, _ in spec.env}
        return {
            "broker": self._broker(spec.broker, may_write) if spec.broker else None,
            "result_backend": masked(spec.result_backend) if spec.result_backend else None,
            "pool": spec.pool,
            "min_concurrency": spec.min_concurrency,
            "max_concurrency": spec.max_concurrency,
            "arguments": spec.arguments if may_write else _without_passwords(spec.arguments),
            "extra_config": (
                spec.extra_config if may_write else _without_passwords(spec.extra_config)
            ),
            "is_enabled": spec.is_enabled,
            "celery_app": spec.celery_app,
            "workdir": spec.workdir,
            "python": spec.python,
            "env": env,
            "labels": dict(spec.labels) if spec.labels is not None else None,
        }

    def _broker(self, broker: Broker, may_write: bool) -> BrokerReply:
        key = (broker.url, may_write)
        reply = self._brokers.get(key)
        if reply is None:
            password = broker.password
            reply = BrokerReply(
                hostname=broker.hostname,
                port=broker.port,
                userid=broker.userid,
                password=password if may_write or not password else MASK,
                virtual_host=broker.virtual_host,
                url=broker.masked_url,
            )
            if len(self._brokers) >= _BROKERS_CACHED_MAX:
                self._brokers.clear()
            self._brokers[key] = reply
        return reply


def queue_reply(queue: Queue) -> QueueReply:
    """Return a queue declaration."""
    return QueueReply(
        name=queue.name,
        exchange=queue.exchange,
        exchange_type=queue.exchange_type,
        routing_key=queue.routing_key,
        options=msgspec.Raw(queue.options.encode()) if queue.options is not None else None,
    )


def branch_reply(branch: BranchInfo, instances: int, vitals: BranchVitals | None) -> BranchReply:
    """Return a branch.

    Args:
        branch: What is known of it.
        instances: How many instances it owns.
        vitals: How it does, None if it cannot be asked.
    """
    return BranchReply(
        id=branch.id,
        state=branch.state,
        url=branch.url,
        address=branch.address,
        port=branch.port,
        loglevel=branch.loglevel,
        logfile=branch.logfile,
        numc=branch.numc,
        sup_interval=branch.sup_interval_s,
        version=branch.version,
        labels=dict(branch.labels),
        drained=branch.drained,
        capacity=branch.instances_max,
        instances=instances,
        load=_rounded(vitals.load) if vitals is not None else None,
        hub_lag_s=_rounded(vitals.hub_lag_s) if vitals is not None else None,
        boot=branch.boot,
        incarnation=branch.incarnation,
        since=_moment(branch.since),
        heard_s=_rounded(branch.heard_s),
        accused_by=branch.accused_by,
    )


def cluster_reply(view: ClusterView, instances: Mapping[str, int]) -> ClusterReply:
    """Return the cluster.

    Args:
        view: The cluster as this branch sees it.
        instances: How many instances each branch owns.
    """
    return ClusterReply(
        name=view.name,
        branch=view.branch,
        digest=view.digest,
        fenced=view.fenced,
        branches=[
            MemberReply(
                id=each.id,
                state=each.state,
                incarnation=each.incarnation,
                boot=each.boot,
                since=_moment(each.since),
                heard_s=_rounded(each.heard_s),
                accused_by=each.accused_by,
                instances=instances.get(each.id, 0),
                epochs=view.epochs.get(each.id, 0),
                url=each.url,
            )
            for each in view.branches
        ],
    )


def move_reply(move: Move) -> MoveReply:
    """Return a move."""
    return MoveReply(
        instance=move.instance, source=move.source, target=move.target, reason=move.reason
    )


def stats_reply(stats: Mapping[str, Any], caller: Caller) -> Mapping[str, Any]:
    """Return what a worker says of itself, without what it knows of its broker's secrets.

    Transports take passwords and keys in their options, in the user's name and in the URLs of
    further brokers, so callers who may not write see what is known to be harmless only.
    """
    broker = stats.get("broker")
    if not isinstance(broker, Mapping):
        return stats
    may_write = caller.role >= Role.OPERATOR
    shown = {
        name: value
        for name, value in broker.items()
        if name in _BROKER_STATS or (may_write and name not in _BROKER_STATS_SECRET)
    }
    return {**stats, "broker": shown}


def event_reply(event: Event) -> EventReply:
    """Return an event."""
    return EventReply(
        seq=event.seq,
        at=_moment(event.at),
        kind=event.kind,
        reason=event.reason,
        app=event.app,
        instance=event.instance,
        data=event.data,
    )


def _rounded(figure: float) -> float:
    """Return a figure as it is to be read; more digits than these say nothing."""
    return round(figure, 3)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _without_passwords(text: str | None) -> str | None:
    """Return options or settings with the passwords in their URLs masked."""
    if text is None or "://" not in text:
        return text
    words = []
    for word in text.split(" "):
        name, equals, value = word.partition("=")
        words.append(f"{name}{equals}{masked(value)}" if equals else masked(word))
    return " ".join(words)
