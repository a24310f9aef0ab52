"""Every metric that a branch tells Prometheus: the one table of names, labels and meanings.

What is told, what the documents say and what the dashboard asks for are made from it. Names that
begin with ``celery_`` are those of celery-exporter, so that dashboards made for that work here.

A branch tells of what is its own: the instances that it owns, the queues and the tasks on the
brokers that it collects for all. Scrape every branch of a cluster to see all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What Prometheus takes a metric for."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric.

    Attributes:
        name: Its name; of a counter with ``_total``, of a histogram without ``_bucket``.
        kind: What Prometheus takes it for.
        help: What it tells, as a sentence without its full stop.
        labels: The names of its labels, those of ``_bucket`` aside.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The name of the family, as OpenMetrics has it."""
        return self.name.removesuffix("_total") if self.kind is Kind.COUNTER else self.name

    @property
    def samples(self) -> tuple[str, ...]:
        """The names of its samples in the text format."""
        if self.kind is Kind.HISTOGRAM:
            return tuple(self.name + end for end in ("_bucket", "_sum", "_count"))
        return (self.name,)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name=name, kind=Kind.COUNTER, help=text, labels=labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, help=text, labels=labels)


def _histogram(name: str, text: str, *labels: str) -> Metric:
    return Metric(name=name, kind=Kind.HISTOGRAM, help=text, labels=labels)


_TASK = ("name", "queue_name", "hostname")

_BRANCH: Final = (
    _gauge("cyme_build_info", "Always 1; the labels tell what runs", "version", "python"),
    _gauge("cyme_load", "The average number of processes that want a processor, over a minute"),
    _gauge("cyme_memory_bytes", "Resident memory of the branch's own process"),
    _gauge("cyme_hub_lag_seconds", "By how much the branch's event loop was late lately"),
    _gauge("cyme_instances", "Instances that the branch owns", "state"),
    _gauge(
        "cyme_instance_cpu_cores",
        "Processors that an instance's worker uses, all its processes together",
        *("app", "instance_name"),
    ),
    _gauge(
        "cyme_instance_memory_bytes",
        "Resident memory of an instance's worker, all its processes together",
        *("app", "instance_name"),
    ),
    _gauge("cyme_alerts", "What somebody should look at, as the branch tells it", "kind"),
    _counter("cyme_restarts_total", "Workers that were started again"),
    _histogram("cyme_supervisor_pass_seconds", "How long passes of the supervisor took"),
    _gauge("cyme_broker_up", "Whether a broker in use answers", "broker"),
    _counter("cyme_broker_surveys_total", "Questions put to a broker's workers", "broker"),
    _counter(
        "cyme_broker_survey_failures_total", "Questions that the broker did not pass on", "broker"
    ),
)

_HTTP: Final = (
    _counter("cyme_http_requests_total", "Requests answered", "route", "method", "status"),
    _histogram("cyme_http_request_seconds", "Time until a request was answered", "route"),
    _counter("cyme_http_token_failures_total", "Requests that showed a token that is not known"),
    _gauge("cyme_event_streams", "Clients that follow events"),
)

_CLUSTER: Final = (
    _gauge("cyme_cluster_members", "Branches as this one sees them", "state"),
    _gauge("cyme_cluster_fenced", "Whether the branch may not act, as it has not heard of others"),
    _counter("cyme_cluster_messages_total", "Messages at the cluster's sockets", "outcome"),
    _counter("cyme_cluster_faults_total", "Messages of others that broke the protocol"),
)

_DATABASE: Final = (
    _gauge("cyme_database_up", "Whether the branch's database takes writes"),
    _gauge("cyme_database_writes_waiting", "Writes that wait"),
    _counter("cyme_database_writes_total", "Writes that were done"),
    _counter("cyme_database_commits_total", "Commits that they were done in"),
    _counter("cyme_database_busy_seconds_total", "How long those took together"),
)

_QUEUES: Final = (
    _gauge("celery_queue_length", "Messages that wait in a queue", "queue_name", "broker"),
    _gauge(
        "celery_active_consumer_count",
        "Workers that consume from a queue",
        *("queue_name", "broker"),
    ),
    _gauge(
        "cyme_queue_oldest_seconds",
        "How long the message has waited that waits longest",
        *("queue_name", "broker"),
    ),
)

_TASKS: Final = (
    _counter("celery_task_sent_total", "Tasks sent", *_TASK),
    _counter("celery_task_received_total", "Tasks that workers took", *_TASK),
    _counter("celery_task_started_total", "Tasks begun", *_TASK),
    _counter("celery_task_succeeded_total", "Tasks that succeeded", *_TASK),
    _counter("celery_task_failed_total", "Tasks that failed", *_TASK, "exception"),
    _counter("celery_task_retried_total", "Times that tasks were to be tried again", *_TASK),
    _counter("celery_task_revoked_total", "Tasks revoked", *_TASK),
    _counter("celery_task_rejected_total", "Tasks rejected", *_TASK),
    _histogram(
        "celery_task_runtime", "How long tasks ran that succeeded, in seconds", "name", "queue_name"
    ),
    _gauge("celery_worker_up", "Whether a worker gave a sign of life lately", "hostname"),
    _gauge("celery_worker_tasks_active", "Tasks that a worker works on", "hostname"),
    _counter("cyme_task_events_total", "Events of tasks and workers taken in", "broker"),
    _counter("cyme_task_events_shed_total", "Events left out as there were too many", "broker"),
    _counter("cyme_task_events_unreadable_total", "Messages that were no events", "broker"),
    _counter("cyme_task_event_interruptions_total", "Times that the broker was lost", "broker"),
)

#: The metrics by what they are about.
GROUPS: Final[Mapping[str, tuple[Metric, ...]]] = {
    "The branch and its instances": _BRANCH,
    "HTTP": _HTTP,
    "The cluster": _CLUSTER,
    "The database": _DATABASE,
    "Queues": _QUEUES,
    "Tasks": _TASKS,
}

#: All metrics by name.
METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric for group in GROUPS.values() for metric in group
}

#: What a label says of all that is beyond the bound of how many values it may have.
OTHER: Final = "other"
