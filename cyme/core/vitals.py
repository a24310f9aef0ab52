"""How branches, instances, queues and tasks do: plain values, as branches tell each other.

None stands for what is not known; it is never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cyme.core.alerts import Alert
from cyme.core.branches import BranchVitals


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceVitals:
    """What an instance's worker takes of its machine, and how busy it is.

    Attributes:
        name: The instance.
        cpu: Processors that it used lately, all its processes together: 1.0 is one whole
            processor. None until it was looked at twice.
        memory_bytes: The resident memory of all its processes together. What they share, as the
            children of a prefork pool do, counts once for each. None until it was read.
        processes: How many processes it has.
        uptime_s: For how long its main process has run.
        slots: How many tasks it can do at a time.
        busy: How many it is doing.
    """

    name: str
    cpu: float | None = None
    memory_bytes: int | None = None
    processes: int = 0
    uptime_s: float | None = None
    slots: int | None = None
    busy: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSight:
    """What a broker tells of a queue when it is asked.

    Attributes:
        depth: How many messages wait to be delivered; None if it does not tell.
        consumers: How many workers consume from it; None if it does not know.
        oldest_at: When the message was sent that waits longest, as it says itself, seconds since
            1970 UTC; None if nothing waits, or it does not say.
        error: Why it does not tell, in words; else empty.
    """

    depth: int | None = None
    consumers: int | None = None
    oldest_at: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueVitals:
    """What waits in a queue, and what comes and goes.

    Attributes:
        app: The app that knows the queue.
        name: The queue.
        broker: Where it is: the URL, its password masked.
        depth: How many messages wait to be delivered.
        consumers: How many workers consume from it.
        oldest_s: How long the message that waits longest has waited, in seconds.
        in_rate: Messages that came, per second, lately.
        out_rate: Messages that went, per second, lately.
        error: Why the rest is not known, in words; empty if it is.
    """

    app: str
    name: str
    broker: str
    depth: int | None = None
    consumers: int | None = None
    oldest_s: float | None = None
    in_rate: float | None = None
    out_rate: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTotals:
    """How tasks went lately, as their events tell.

    Attributes:
        rate: Tasks that ended, well or not, per second over the last minute.
        failure_rate: Those of them that failed, per second.
        succeeded: Tasks that succeeded within the ten minutes of ``series``.
        failed: Tasks that failed within them.
        retried: How often tasks were tried again within them.
        series: For each ten seconds, the oldest first, when they began (seconds since 1970 UTC),
            how many tasks succeeded and how many failed.
        events: Events that were taken in since the collector began.
        shed: Events that were left out since then, as there were too many; an estimate, as they
            were not read.
        unreadable: Messages since then that were no events.
        interruptions: How often since then the connection to the broker was lost, and whatever
            was sent meanwhile with it.
    """

    rate: float = 0.0
    failure_rate: float = 0.0
    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    series: tuple[tuple[int, int, int], ...] = ()
    events: int = 0
    shed: int = 0
    unreadable: int = 0
    interruptions: int = 0


NO_TASKS = TaskTotals()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSighting:
    """What is known of a task by its events; neither its arguments nor its result.

    Attributes:
        uuid: Its id.
        name: Its name; empty if the event that tells it was not seen.
        app: The app of the instance, or the one that the task was queued through; None if it is
            not known.
        instance: The instance that has it, or had it last; None if none took it yet, or a worker
            did that is none of the cluster's instances.
        worker: Celery's node name of the worker that has it, or had it last; empty if none took
            it yet.
        queue: The queue that it was sent to; None if who sent it did not tell.
        state: Celery's word for where it stands: ``PENDING``, ``RECEIVED``, ``STARTED``,
            ``SUCCESS``, ``FAILURE``, ``RETRY``, ``REVOKED`` or ``REJECTED``.
        at: When the latest was heard of it, seconds since 1970 UTC, as the moments below.
        sent_at: When it was sent, if that was told.
        received_at: When a worker took it.
        started_at: When the worker began.
        ended_at: When it was over.
        runtime_s: How long it ran, in seconds, once it has succeeded.
        exception: What it failed with, or is tried again because of, cut short.
        retries: How often it was tried again.
        url: Of a queued URL: what is requested, without its query, user and password.
    """

    uuid: str
    name: str = ""
    app: str | None = None
    instance: str | None = None
    worker: str = ""
    queue: str | None = None
    state: str = "PENDING"
    at: float = 0.0
    sent_at: float | None = None
    received_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    runtime_s: float | None = None
    exception: str | None = None
    retries: int = 0
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchShare:
    """What one branch tells of how things do.

    Attributes:
        branch: How it does itself.
        instances: How the workers do of the instances that it owns.
        queues: How the queues do on the brokers that it collects for all.
        tasks: How the tasks went whose events it collects, or collected lately.
        busy: On how many tasks the workers work whose events it collects, by their node names.
        alerts: The trouble that it tells of.
    """

    branch: BranchVitals
    instances: tuple[InstanceVitals, ...]
    queues: tuple[QueueVitals, ...]
    tasks: TaskTotals = NO_TASKS
    busy: Mapping[str, int] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchFigures:
    """What a branch knows by itself of what is its own.

    Attributes:
        branch: How it does.
        states: How many instances that it owns are in each state.
        workers: Their apps, and how their workers do.
        queues: How the queues do on the brokers that it collects for all.
        members: How many branches are in each state, as it sees them.
        fenced: Whether it may not act, as it does not know yet what it owns.
        alerts: How many alerts of each kind it tells of.
    """

    branch: BranchVitals
    states: Mapping[str, int]
    workers: tuple[tuple[str, InstanceVitals], ...]
    queues: tuple[QueueVitals, ...]
    members: Mapping[str, int]
    fenced: bool
    alerts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterVitals:
    """How everything does, as far as branches told in time.

    Attributes:
        as_of: When it was gathered, seconds since 1970 UTC.
        branches: How the branches do that told.
        instances: How their workers do, by the instances' names.
        queues: How the queues do, by app and name.
        tasks: How tasks went.
        alerts: What somebody should look at, the oldest first.
        missing: The branches that did not tell; nothing is said of what is theirs.
    """

    as_of: float
    branches: Mapping[str, BranchVitals]
    instances: Mapping[str, InstanceVitals]
    queues: tuple[QueueVitals, ...]
    tasks: TaskTotals = NO_TASKS
    alerts: tuple[Alert, ...] = ()
    missing: tuple[str, ...] = ()
