"""Gathers the metrics of a branch when Prometheus asks, from what is in memory: nobody is asked.

Laws:

* what has no bound of its own gets one here, and the rest is told together as ``other``;
* other greenlets run between the families, so that a scrape delays nobody.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import gevent
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

import cyme
from cyme.api.metering.exposition import SAMPLES_A_TURN
from cyme.api.metering.meter import Meter
from cyme.api.metering.table import METRICS, OTHER, Kind
from cyme.api.replies import TURN_S
from cyme.core.alerts import AlertKind
from cyme.core.branches import BranchState
from cyme.core.collectors import broker_key
from cyme.core.histogram import Histogram
from cyme.core.model import Broker
from cyme.core.status import InstanceState
from cyme.core.task_events import TaskDeed
from cyme.core.task_ledger import RUNTIME_BUCKETS_S, TaskLedger, WorkerSeen
from cyme.core.vitals import BranchFigures, QueueVitals
from cyme.runtime.service import Service
from cyme.runtime.telemetry.measures import BranchMeasures

#: Instances, queues and workers that are told by name.
INSTANCES_MAX: Final = 1_000
QUEUES_MAX: Final = 1_000
WORKERS_MAX: Final = 1_000

#: Of more rows of tasks than this the workers are told together.
TASK_ROWS_MAX: Final = 2_000

#: A worker that was silent for longer, in seconds, is told of no more: it is gone, and nobody is
#: to be called for it. As celery-exporter has it. One of the cluster that is not to run, since it
#: was stopped, moved or deleted, is told of no more at once.
WORKER_TOLD_S: Final = 600.0

#: What is told as 0 of tasks that something else became of: a counter that begins with its first
#: failure hides that one from every rate, and a part of nothing is nothing.
_FROM_ZERO: Final = (TaskDeed.SUCCEEDED, TaskDeed.FAILED, TaskDeed.RETRIED)

_DEEDS: Final = {deed: f"celery_task_{deed}_total" for deed in TaskDeed}

Labels = Mapping[str, str]
Rows = Iterable[tuple[Labels, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where metrics come from.

    Attributes:
        service: The use cases.
        meter: What is counted of requests.
        measures: Tells what the parts of the branch count.
        streams: Tells how many clients follow events.
        token_failures: Tells how many requests showed a token that is not known.
    """

    service: Service
    meter: Meter
    measures: Callable[[], BranchMeasures]
    streams: Callable[[], int]
    token_failures: Callable[[], int]


class BranchCollector(Collector):
    """Gathers the metrics of a branch."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources

    def collect(self) -> Iterator[Family]:
        """Return all families of the table that there is something to tell of."""
        figures = self._from.service.figures()
        measures = self._from.measures()
        telemetry = self._from.service.telemetry
        for families in (
            _of_branch(figures, measures),
            self._of_http(),
            _of_cluster(figures, measures),
            _of_database(measures),
            _of_queues(figures.queues),
            _of_tasks(
                telemetry.ledgers(),
                telemetry.listening(),
                self._from.service.now(),
                self._from.service,
            ),
        ):
            for family in families:
                yield family
                gevent.sleep(TURN_S)

    def _of_http(self) -> Iterator[Family]:
        meter = self._from.meter
        yield _family(
            "cyme_http_requests_total",
            [
                ({"route": route, "method": method, "status": str(status)}, count)
                for (route, method, status), count in meter.requests.items()
            ],
        )
        yield _histogram(
            "cyme_http_request_seconds",
            [({"route": route}, each) for route, each in meter.durations.items()],
        )
        yield _single("cyme_http_token_failures_total", self._from.token_failures())
        yield _single("cyme_event_streams", self._from.streams())


# --- what there is -------------------------------------------------------------------------------


def _of_branch(figures: BranchFigures, measures: BranchMeasures) -> Iterator[Family]:
    versions = {"version": cyme.__version__, "python": platform.python_version()}
    yield _family("cyme_build_info", [(versions, 1)])
    yield _single("cyme_load", figures.branch.load)
    yield _single("cyme_memory_bytes", figures.branch.memory_bytes)
    yield _single("cyme_hub_lag_seconds", figures.branch.hub_lag_s)
    yield _values("cyme_instances", InstanceState, figures.states)
    cpu: dict[tuple[str, str], float] = {}
    memory: dict[tuple[str, str], float] = {}
    for number, (app, each) in enumerate(figures.workers):
        key = (app, each.name) if number < INSTANCES_MAX else (OTHER, OTHER)
        if each.cpu is not None:
            cpu[key] = cpu.get(key, 0.0) + each.cpu
        if each.memory_bytes is not None:
            memory[key] = memory.get(key, 0.0) + each.memory_bytes
    for name, told in (("cyme_instance_cpu_cores", cpu), ("cyme_instance_memory_bytes", memory)):
        yield _family(
            name,
            [
                ({"app": app, "instance_name": instance}, value)
                for (app, instance), value in told.items()
            ],
        )
    yield _values("cyme_alerts", AlertKind, figures.alerts)
    yield _single("cyme_restarts_total", measures.restarts)
    yield _histogram("cyme_supervisor_pass_seconds", [({}, measures.passes)])
    brokers = [({"broker": key}, each) for key, each in measures.brokers.items()]
    yield _family(
        "cyme_broker_up", [(labels, float(each.is_up is True)) for labels, each in brokers]
    )
    yield _family("cyme_broker_surveys_total", [(labels, each.surveys) for labels, each in brokers])
    yield _family(
        "cyme_broker_survey_failures_total", [(labels, each.failures) for labels, each in brokers]
    )


def _of_cluster(figures: BranchFigures, measures: BranchMeasures) -> Iterator[Family]:
    yield _values("cyme_cluster_members", BranchState, figures.members)
    yield _single("cyme_cluster_fenced", figures.fenced)
    yield _family(
        "cyme_cluster_messages_total",
        [({"outcome": outcome}, count) for outcome, count in measures.sockets.items()],
    )
    yield _single("cyme_cluster_faults_total", measures.faults)


def _of_database(measures: BranchMeasures) -> Iterator[Family]:
    database = measures.database
    yield _single("cyme_database_up", database.is_well)
    yield _single("cyme_database_writes_waiting", database.waiting)
    yield _single("cyme_database_writes_total", database.writes)
    yield _single("cyme_database_commits_total", database.commits)
    yield _single("cyme_database_busy_seconds_total", database.busy_s)


def _of_queues(queues: Sequence[QueueVitals]) -> Iterator[Family]:
    # A queue that several apps know is one queue.
    by_place = {(row.name, row.broker): row for row in queues}
    known = [row for row in by_place.values() if row.depth is not None]
    told, others = known[:QUEUES_MAX], known[QUEUES_MAX:]
    rest = {"queue_name": OTHER, "broker": OTHER}
    keys = {row.broker: broker_key(Broker(row.broker)) for row in told}
    labels = [({"queue_name": row.name, "broker": keys[row.broker]}, row) for row in told]
    lengths = [(each, float(row.depth or 0)) for each, row in labels]
    consumers = [(each, float(row.consumers or 0)) for each, row in labels]
    ages = [(each, row.oldest_s) for each, row in labels if row.oldest_s is not None]
    if others:
        lengths.append((rest, float(sum(row.depth or 0 for row in others))))
        consumers.append((rest, float(sum(row.consumers or 0 for row in others))))
        ages.append((rest, max(row.oldest_s or 0.0 for row in others)))
    yield _family("celery_queue_length", lengths)
    yield _family("celery_active_consumer_count", consumers)
    yield _family("cyme_queue_oldest_seconds", ages)


def _of_tasks(
    ledgers: Mapping[str, TaskLedger],
    listening: Collection[str],
    now: float,
    service: Service,
) -> Iterator[Family]:
    counts = [row for ledger in ledgers.values() for row in ledger.counts()]
    together = len(counts) > TASK_ROWS_MAX
    rows: dict[TaskDeed, Counter[tuple[str, ...]]] = {deed: Counter() for deed in _DEEDS}
    for number, row in enumerate(counts, start=1):
        worker = OTHER if together else row.worker
        if number % SAMPLES_A_TURN == 0:
            gevent.sleep(TURN_S)
        rows[row.deed][row.name, row.queue, worker, row.exception] += row.count
        if row.deed is not TaskDeed.SENT:
            for deed in _FROM_ZERO:
                rows[deed][row.name, row.queue, worker, ""] += 0
    for deed, metric in _DEEDS.items():
        names = METRICS[metric].labels
        yield _family(
            metric,
            [
                (dict(zip(names, key, strict=False)), float(count))
                for key, count in rows[deed].items()
            ],
        )
    yield _runtimes(ledgers)
    # Of the workers of a broker the branch tells that listens to them, and no other one.
    heard = [each for key in listening if key in ledgers for each in ledgers[key].workers(now)]
    workers = [each for each in heard if now - each.seen_at <= WORKER_TOLD_S][:WORKERS_MAX]
    wanted = [each for each in workers if each.is_up or service.is_to_run(each.node)]
    yield _family("celery_worker_up", _up(wanted, service.nodes_running(listening)))
    yield _family(
        "celery_worker_tasks_active", [({"hostname": each.node}, each.active) for each in workers]
    )
    for metric, counted in (
        ("cyme_task_events_total", "events"),
        ("cyme_task_events_shed_total", "shed"),
        ("cyme_task_events_unreadable_total", "unreadable"),
        ("cyme_task_event_interruptions_total", "interruptions"),
    ):
        yield _family(
            metric,
            [({"broker": key}, getattr(ledger, counted)) for key, ledger in ledgers.items()],
        )


def _up(workers: Iterable[WorkerSeen], running: Iterable[str]) -> Rows:
    """Return which workers gave a sign of life: by events, or by answering their branch.

    Who has just begun to listen would else tell of none before its next heartbeat, up to a minute.
    """
    up = {each.node: each.is_up for each in workers}
    for number, node in enumerate(running, start=1):
        if number % SAMPLES_A_TURN == 0:
            gevent.sleep(TURN_S)
        if node in up or len(up) < WORKERS_MAX:
            up[node] = True
    return [({"hostname": node}, float(is_up)) for node, is_up in up.items()]


def _runtimes(ledgers: Mapping[str, TaskLedger]) -> Family:
    family = _empty("celery_task_runtime")
    totals: dict[tuple[str, str], tuple[list[int], float]] = {}
    for ledger in ledgers.values():
        for row in ledger.runtimes():
            up_to, total = totals.get((row.name, row.queue), ([0] * len(row.up_to), 0.0))
            added = [mine + more for mine, more in zip(up_to, row.up_to, strict=True)]
            totals[row.name, row.queue] = (added, total + row.sum_s)
    for (name, queue), (up_to, total) in totals.items():
        _add_histogram(
            family, {"name": name, "queue_name": queue}, RUNTIME_BUCKETS_S[:-1], up_to, total
        )
    return family


# --- families ------------------------------------------------------------------------------------


def _empty(name: str) -> Family:
    metric = METRICS[name]
    return Family(metric.family, metric.help, str(metric.kind))


def _family(name: str, rows: Rows) -> Family:
    """Return a family of counters or gauges."""
    assert METRICS[name].kind is not Kind.HISTOGRAM
    family = _empty(name)
    family.samples = [Sample(name, dict(labels), float(value)) for labels, value in rows]
    return family


def _single(name: str, value: float) -> Family:
    return _family(name, [({}, value)])


def _values(name: str, values: Iterable[str], counts: Mapping[str, int]) -> Family:
    """Return how many there are of each value of a label, also where there are none."""
    (label,) = METRICS[name].labels
    return _family(name, [({label: str(each)}, counts.get(str(each), 0)) for each in values])


def _histogram(name: str, rows: Iterable[tuple[Labels, Histogram]]) -> Family:
    family = _empty(name)
    for labels, histogram in rows:
        _add_histogram(family, labels, histogram.bounds, histogram.up_to(), histogram.total)
    return family


def _add_histogram(
    family: Family, labels: Labels, bounds: Sequence[float], up_to: Sequence[int], total: float
) -> None:
    """Add a histogram; ``up_to`` has one count more than there are bounds, of all there were."""
    for bound, count in zip((*map(str, bounds), "+Inf"), up_to, strict=True):
        family.samples.append(
            Sample(f"{family.name}_bucket", {**labels, "le": bound}, float(count))
        )
    family.samples.append(Sample(f"{family.name}_count", dict(labels), float(up_to[-1])))
    family.samples.append(Sample(f"{family.name}_sum", dict(labels), total))
