"""Routes that tell how everything does at this moment: branches, workers, queues, tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import falcon
import msgspec

from cyme.api.figures import moment, rounded
from cyme.api.inputs import PurgeParameters
from cyme.api.operations import CALL_TIMEOUT_S, Request, operation
from cyme.api.replies import answer
from cyme.core.access import Role
from cyme.core.vitals import ClusterVitals, InstanceVitals, QueueVitals, TaskTotals
from cyme.runtime.service import Service

#: A broker that is asked at this moment has so long to answer, in seconds.
STATS_TIMEOUT_S = 5.0


class InstanceVitalsReply(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance's worker takes, and how busy it is; null is what is not known."""

    cpu: float | None
    memory_bytes: int | None
    processes: int
    uptime_s: float | None
    slots: int | None
    busy: int | None


class QueueVitalsReply(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in a queue, and what comes and goes a second; null is what is not known."""

    app: str
    name: str
    broker: str
    depth: int | None
    consumers: int | None
    oldest_s: float | None
    in_rate: float | None
    out_rate: float | None
    error: str


class TaskTotalsReply(msgspec.Struct, frozen=True, kw_only=True):
    """How tasks went lately: a second, in ten minutes, and in each ten seconds of those."""

    rate: float
    failure_rate: float
    succeeded: int
    failed: int
    retried: int
    series: Sequence[tuple[int, int, int]]


class BranchVitalsReply(msgspec.Struct, frozen=True, kw_only=True):
    """How a branch does; its memory is that of its own process, without its workers."""

    load: float
    hub_lag_s: float
    instances: int
    memory_bytes: int


class AlertReply(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody should look at."""

    kind: str
    subject: str
    app: str | None
    reason: str
    since: datetime


class ClusterVitalsReply(msgspec.Struct, frozen=True, kw_only=True):
    """How everything does, as the branches told that answered within a second."""

    as_of: datetime
    instances: Mapping[str, InstanceVitalsReply]
    queues: Sequence[QueueVitalsReply]
    tasks: TaskTotalsReply
    branches: Mapping[str, BranchVitalsReply]
    alerts: Sequence[AlertReply]
    missing: Sequence[str]


class Purged(msgspec.Struct, frozen=True):
    """How many messages were removed."""

    purged: int


class Vitals:
    """How everything does."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation("Show how the cluster does", gives=ClusterVitalsReply)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """Show how all do; branches that do not answer within a second are left out and named."""
        answer(resp, vitals_reply(self._service))

    @operation("Show how a queue does", gives=QueueVitalsReply)
    def on_get_queue(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """Ask the broker of a queue what waits in it."""
        answer(resp, queue_reply(self._service.queue_vitals(app, name, timeout_s=STATS_TIMEOUT_S)))

    @operation(
        "Remove all messages that wait in a queue",
        role=Role.OPERATOR,
        takes=PurgeParameters,
        gives=Purged,
    )
    def on_post_purge(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """Purge a queue, unless it holds many more messages than the caller expects."""
        count = self._service.purge_queue(
            app,
            name,
            expect=req.given["expect"],
            caller=req.caller,
            timeout_s=CALL_TIMEOUT_S,
        )
        answer(resp, Purged(count))

    on_head = on_get
    on_head_queue = on_get_queue
    on_put_purge = on_post_purge


def vitals_reply(service: Service) -> ClusterVitalsReply:
    """Return how everything does, as all who ask are told it."""
    vitals: ClusterVitals = service.cluster_vitals()
    return ClusterVitalsReply(
        as_of=moment(vitals.as_of),
        instances={name: _instance_reply(each) for name, each in vitals.instances.items()},
        queues=[queue_reply(each) for each in vitals.queues],
        tasks=_tasks_reply(vitals.tasks),
        branches={
            branch: BranchVitalsReply(
                load=rounded(each.load),
                hub_lag_s=rounded(each.hub_lag_s),
                instances=each.instances,
                memory_bytes=each.memory_bytes,
            )
            for branch, each in vitals.branches.items()
        },
        alerts=[
            AlertReply(
                kind=each.kind,
                subject=each.subject,
                app=each.app,
                reason=each.reason,
                since=moment(each.since),
            )
            for each in vitals.alerts
        ],
        missing=vitals.missing,
    )


def queue_reply(queue: QueueVitals) -> QueueVitalsReply:
    """Return how a queue does."""
    return QueueVitalsReply(
        app=queue.app,
        name=queue.name,
        broker=queue.broker,
        depth=queue.depth,
        consumers=queue.consumers,
        oldest_s=rounded(queue.oldest_s),
        in_rate=rounded(queue.in_rate),
        out_rate=rounded(queue.out_rate),
        error=queue.error,
    )


def _instance_reply(vitals: InstanceVitals) -> InstanceVitalsReply:
    return InstanceVitalsReply(
        cpu=rounded(vitals.cpu),
        memory_bytes=vitals.memory_bytes,
        processes=vitals.processes,
        uptime_s=rounded(vitals.uptime_s),
        slots=vitals.slots,
        busy=vitals.busy,
    )


def _tasks_reply(totals: TaskTotals) -> TaskTotalsReply:
    return TaskTotalsReply(
        rate=rounded(totals.rate),
        failure_rate=rounded(totals.failure_rate),
        succeeded=totals.succeeded,
        failed=totals.failed,
        retried=totals.retried,
        series=totals.series,
    )
