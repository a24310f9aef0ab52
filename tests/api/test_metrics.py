"""Metrics of a branch: what is told, within which bounds, and a dashboard that asks for it."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import falcon
import gevent
import pytest
from falcon import testing
from prometheus_client import CollectorRegistry
from prometheus_client import generate_latest as prometheus_text
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as open_text
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from cyme.api.app import create_app
from cyme.api.metering import collector
from cyme.api.metering.dashboard import PANELS, TARGET_LABELS
from cyme.api.metering.exposition import SAMPLES_A_TURN, text_of
from cyme.api.metering.table import METRICS, Kind
from cyme.core.model import Broker
from cyme.core.status import InstanceState, InstanceStatus
from cyme.core.task_events import TaskDeed, TaskEvent, WorkerEvent
from cyme.core.task_ledger import TaskLedger
from cyme.core.unplaced_events import WAIT_S
from cyme.core.vitals import InstanceVitals, QueueVitals
from cyme.runtime.telemetry.measures import BranchMeasures, BrokerMeasures, DatabaseMeasures
from tests.api.branch import VIEWER, FakeBranch, FakeTokens, client_of
from tests.promql import named

BROKER = Broker("redis://:hush@127.0.0.1:7000/0")
KEY = "redis://127.0.0.1:7000/0"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(client: testing.TestClient, **headers: str) -> Samples:
    reply = client.simulate_get("/metrics", headers=headers)
    assert reply.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def value(told: Samples, metric: str, /, **labels: str) -> float:
    return told[metric, frozenset(labels.items())]


def values(told: Samples, name: str) -> dict[str, float]:
    """The values of a metric of one label, by that."""
    return {
        next(iter(labels))[1]: figure for (each, labels), figure in told.items() if each == name
    }


@pytest.fixture
def ledger(branch: FakeBranch, monkeypatch: pytest.MonkeyPatch) -> TaskLedger:
    ledger = TaskLedger()
    monkeypatch.setattr(branch.service.telemetry, "ledgers", lambda: {KEY: ledger})
    monkeypatch.setattr(branch.service.telemetry, "listening", lambda: {KEY})
    return ledger


def event(deed: TaskDeed, uuid: str = "u1", node: str = "w1@b1", **more: Any) -> TaskEvent:
    return TaskEvent(deed, uuid, node, 1.0, name=more.pop("name", "shop.add"), **more)


def test_what_is_told_is_in_the_table_with_its_type_help_and_labels(
    branch: FakeBranch, ledger: TaskLedger
) -> None:
    fill(branch, ledger)
    branch.client.simulate_get("/ping")
    reply = branch.client.simulate_get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(reply.text)}

    told = {name for name in families if not name.startswith("process_")}
    assert told == {metric.family for metric in METRICS.values()}
    for metric in METRICS.values():
        family = families[metric.family]
        assert family.type == str(metric.kind)
        assert family.documentation == metric.help
        assert family.samples, f"{metric.name} is not told"
        for sample in family.samples:
            assert sample.name in metric.samples
            extra = {"le"} if sample.name.endswith("_bucket") else set()
            assert set(sample.labels) == set(metric.labels) | extra, sample


def fill(branch: FakeBranch, ledger: TaskLedger) -> None:
    """Have something to tell of everything."""
    branch.client.simulate_put("/shop/instances/w1/")
    branch.supervisor.runs("w1")
    branch.supervisor.told = [
        InstanceVitals(name="w1", cpu=0.5, memory_bytes=100_000_000, processes=2)
    ]
    branch.watching.told = (
        QueueVitals(
            app="shop", name="mails", broker=BROKER.masked_url, depth=3, consumers=1, oldest_s=9.0
        ),
    )
    now = branch.clock.wall()
    for number, deed in enumerate(TaskDeed):
        more: dict[str, Any] = {"exception": "ValueError('x')"} if deed == "failed" else {}
        more |= {"runtime_s": 0.3} if deed == "succeeded" else {}
        ledger.take(event(deed, f"u{number}", **more), now - WAIT_S)
    ledger.take(WorkerEvent("w1@b1", now, online=True), now)
    branch.app = create_app(
        branch.service,
        tokens=FakeTokens(),
        open_access=True,
        measures=lambda: BranchMeasures(
            restarts=3,
            brokers={KEY: BrokerMeasures(is_up=True, surveys=5, failures=1)},
            database=DatabaseMeasures(waiting=2, writes=9, commits=4, busy_s=0.5),
            sockets={"sent": 7},
            faults=1,
        ),
    )
    branch.client = client_of(branch.app)


def test_tells_what_it_is_given(branch: FakeBranch, ledger: TaskLedger) -> None:
    fill(branch, ledger)
    told = samples(branch.client)

    assert value(told, "cyme_instances", state="running") == 1
    assert value(told, "cyme_instances", state="disabled") == 0
    assert value(told, "cyme_instance_cpu_cores", app="shop", instance_name="w1") == 0.5
    assert value(told, "celery_queue_length", queue_name="mails", broker=KEY) == 3
    assert value(told, "cyme_queue_oldest_seconds", queue_name="mails", broker=KEY) == 9
    labels = {"name": "shop.add", "queue_name": "", "hostname": "w1@b1"}
    assert value(told, "celery_task_succeeded_total", **labels) == 1
    assert value(told, "celery_task_failed_total", **labels, exception="ValueError") == 1
    runtime = {"name": "shop.add", "queue_name": ""}
    assert value(told, "celery_task_runtime_bucket", **runtime, le="0.25") == 0
    assert value(told, "celery_task_runtime_bucket", **runtime, le="0.5") == 1
    assert value(told, "celery_task_runtime_sum", **runtime) == pytest.approx(0.3)
    assert value(told, "celery_worker_up", hostname="w1@b1") == 1
    assert value(told, "cyme_broker_survey_failures_total", broker=KEY) == 1
    assert value(told, "cyme_database_writes_waiting") == 2
    assert value(told, "cyme_cluster_messages_total", outcome="sent") == 7
    assert value(told, "cyme_restarts_total") == 3


def test_failures_are_told_from_0_on_of_tasks_that_a_worker_took(
    branch: FakeBranch, ledger: TaskLedger
) -> None:
    now = branch.clock.wall()
    ledger.take(event(TaskDeed.SENT, node="gen1@web", queue="orders"), now)
    assert not values(samples(branch.client), "celery_task_failed_total")

    ledger.take(event(TaskDeed.RECEIVED), now)
    told = samples(branch.client)
    labels = {"name": "shop.add", "queue_name": "orders", "hostname": "w1@b1"}
    assert value(told, "celery_task_failed_total", **labels, exception="") == 0
    assert value(told, "celery_task_succeeded_total", **labels) == 0
    assert value(told, "celery_task_retried_total", **labels) == 0

    ledger.take(event(TaskDeed.SUCCEEDED, runtime_s=0.1), now)
    assert value(samples(branch.client), "celery_task_succeeded_total", **labels) == 1


def test_workers_are_told_by_the_branch_that_listens_to_them_alone(
    branch: FakeBranch, ledger: TaskLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(branch, ledger)
    monkeypatch.setattr(branch.service.telemetry, "listening", frozenset)
    told = samples(branch.client)

    assert not values(told, "celery_worker_up")
    assert not values(told, "celery_worker_tasks_active")
    labels = {"name": "shop.add", "queue_name": "", "hostname": "w1@b1"}
    assert value(told, "celery_task_succeeded_total", **labels) == 1


def test_a_worker_that_answers_its_branch_is_up_before_its_first_event(
    branch: FakeBranch, ledger: TaskLedger
) -> None:
    branch.client.simulate_put("/shop/", params={"broker": BROKER.url})
    for name in ("w1", "w2", "w3", "w4"):
        branch.client.simulate_put(f"/shop/instances/{name}/")
    branch.client.simulate_put("/shop/instances/other/?broker=amqp%3A//elsewhere//")
    for name in ("w1", "other"):
        branch.supervisor.runs(name)
    for name, state in (("w2", InstanceState.RUNNING), ("w3", InstanceState.STOPPING)):
        branch.give_away(name)
        branch.members.statuses[name] = (InstanceStatus(state=state, reason=""), 1.0)
    assert values(samples(branch.client), "celery_worker_up") == {"w1@branch1": 1, "w2@branch2": 1}
    assert not values(samples(branch.client), "celery_worker_tasks_active")

    now = branch.clock.wall()
    ledger.take(WorkerEvent("w1@branch1", now, online=False), now)
    ledger.take(WorkerEvent("w4@branch1", now, online=False), now)
    told = values(samples(branch.client), "celery_worker_up")
    assert told == {"w1@branch1": 1, "w2@branch2": 1, "w4@branch1": 0}


def test_nobody_is_called_for_a_worker_that_is_not_to_run(
    branch: FakeBranch, ledger: TaskLedger
) -> None:
    branch.client.simulate_put("/shop/", params={"broker": BROKER.url})
    for name in ("lost", "moved", "stopped"):
        branch.client.simulate_put(f"/shop/instances/{name}/")
    branch.give_away("moved")
    branch.client.simulate_put("/shop/instances/stopped/?is_enabled=false")
    now = branch.clock.wall()
    for name in ("lost", "moved", "stopped", "deleted"):
        ledger.take(WorkerEvent(f"{name}@branch1", now, online=False), now)
    ledger.take(WorkerEvent("stopped@elsewhere", now, online=False), now)
    assert values(samples(branch.client), "celery_worker_up") == {
        "lost@branch1": 0,
        "stopped@elsewhere": 0,
    }


def test_a_worker_that_is_gone_for_long_is_told_of_no_more(
    branch: FakeBranch, ledger: TaskLedger
) -> None:
    now = branch.clock.wall()
    ledger.take(WorkerEvent("w1@b1", now, online=False), now)
    assert values(samples(branch.client), "celery_worker_up") == {"w1@b1": 0}

    branch.clock.advance(collector.WORKER_TOLD_S + 1)
    assert not values(samples(branch.client), "celery_worker_up")


def test_no_secret_is_told(branch: FakeBranch, ledger: TaskLedger) -> None:
    fill(branch, ledger)

    assert "hush" not in branch.client.simulate_get("/metrics").text


def test_openmetrics_is_told_to_who_asks_for_it(branch: FakeBranch, ledger: TaskLedger) -> None:
    fill(branch, ledger)
    accept = "application/openmetrics-text; version=1.0.0"
    reply = branch.client.simulate_get("/metrics", headers={"Accept": accept})

    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert reply.text.endswith("# EOF\n")
    told = {family.name for family in openmetrics(reply.text)}  # type: ignore[no-untyped-call]
    assert told >= {metric.family for metric in METRICS.values()}


@pytest.mark.parametrize("is_open", [False, True], ids=["prometheus", "openmetrics"])
def test_the_text_is_what_the_library_of_prometheus_writes(is_open: bool) -> None:
    families = [
        Family("a_counter", 'what "it" \\ counts\nin lines', "counter"),
        Family("a_gauge", "it is", "gauge"),
        Family("a_histogram", "how long", "histogram"),
    ]
    for value in (0.0, 1.0, 1234567.0, 1.5e12, 0.1, -3.0, float("inf"), float("nan")):
        families[1].samples.append(Sample("a_gauge", {"b": 'x"y', "a": "back\\slash\n"}, value))
    families[0].samples.append(Sample("a_counter_total", {}, 7.0))
    families[2].samples.append(Sample("a_histogram_bucket", {"le": "+Inf"}, 3.0))
    registry = CollectorRegistry(auto_describe=False)

    class All(Collector):
        def collect(self) -> list[Family]:
            return families

    registry.register(All())
    write: Any = open_text if is_open else prometheus_text
    theirs = write(registry)
    assert text_of(families, openmetrics=is_open).decode() == theirs.decode()


# --- requests ---------------------------------------------------------------------------------


def test_requests_are_counted_by_route_and_never_by_path(client: testing.TestClient) -> None:
    for name in ("a", "b", "c"):
        client.simulate_get(f"/{name}/instances/x/")
    client.simulate_get("/no/such/path/at/all")
    client.simulate_request("TRACE", "/ping")
    told = samples(client)
    name = "cyme_http_requests_total"

    assert value(told, name, route="/{app}/instances/{name}", method="GET", status="404") == 3
    assert value(told, name, route="none", method="GET", status="404") == 1
    assert value(told, "cyme_http_request_seconds_count", route="/{app}/instances/{name}") == 3
    assert not any("/a/" in str(labels) or "TRACE" in str(labels) for _, labels in told)


def test_tokens_that_are_not_known_are_counted(branch: FakeBranch) -> None:
    for _ in range(3):
        branch.closed.simulate_get("/", headers={"Authorization": "Bearer wrong"})

    told = samples(branch.closed, **VIEWER)
    assert value(told, "cyme_http_token_failures_total") == 3


def test_metrics_need_a_token_where_all_does(branch: FakeBranch) -> None:
    for path in ("/metrics", "/metrics/dashboard/"):
        assert branch.closed.simulate_get(path).status == falcon.HTTP_401
        assert branch.closed.simulate_get(path, headers=VIEWER).status == falcon.HTTP_200


# --- bounds -----------------------------------------------------------------------------------


def test_beyond_a_bound_the_rest_is_told_together(
    branch: FakeBranch, ledger: TaskLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(branch, ledger)
    for bound in ("INSTANCES_MAX", "QUEUES_MAX", "WORKERS_MAX", "TASK_ROWS_MAX"):
        monkeypatch.setattr(collector, bound, 1)
    branch.client.simulate_put("/shop/instances/w2/")
    branch.client.simulate_put("/shop/instances/w3/")
    (first,) = branch.supervisor.told
    branch.supervisor.told = [replace(first, name=name) for name in ("w1", "w2", "w3")]
    (row,) = branch.watching.told
    branch.watching.told = tuple(replace(row, name=name) for name in ("a", "b", "c"))
    ledger.take(event(TaskDeed.RECEIVED, "u8", "w2@b1"), branch.clock.wall() - WAIT_S)
    ledger.take(WorkerEvent("w1@b1", 1.0, online=True), branch.clock.wall())
    told = samples(branch.client)

    others = {"app": "other", "instance_name": "other"}
    assert value(told, "cyme_instance_cpu_cores", app="shop", instance_name="w1") == 0.5
    assert value(told, "cyme_instance_cpu_cores", **others) == 1.0
    assert value(told, "celery_queue_length", queue_name="other", broker="other") == 6
    assert value(told, "cyme_queue_oldest_seconds", queue_name="other", broker="other") == 9
    assert len(values(told, "celery_worker_up")) == 1
    labels = {"name": "shop.add", "queue_name": "", "hostname": "other"}
    assert value(told, "celery_task_received_total", **labels) == 2


def test_a_scrape_of_a_thousand_instances_is_quick(branch: FakeBranch, ledger: TaskLedger) -> None:
    fill(branch, ledger)
    names = [f"w{number}" for number in range(1000)]
    (record,) = branch.replica.instances_owned()
    branch.replica.apply([replace(record, name=name) for name in names])  # type: ignore[arg-type]
    (first,) = branch.supervisor.told
    branch.supervisor.told = [replace(first, name=name) for name in names]
    now = branch.clock.wall()
    for name in names:
        ledger.take(WorkerEvent(f"{name}@b1", now, online=True), now)

    def scrape_s() -> float:
        began = time.process_time()
        told = branch.client.simulate_get("/metrics").text
        assert told.count("\ncyme_instance_memory_bytes{") == 1000
        return time.process_time() - began

    # Of the processor's time, and the least of several, as others are at work on the machine; what
    # measures the coverage takes three times as long.
    assert min(scrape_s() for _ in range(5)) < 0.15


def test_however_many_samples_there_are_others_have_their_turn(branch: FakeBranch) -> None:
    ledger, many = TaskLedger(), 4 * SAMPLES_A_TURN + 1
    for number in range(many):
        deed = list(TaskDeed)[number % len(TaskDeed)]
        worker, name = f"w{number % 500}@b1", f"t{number // 500 % 100}"
        ledger.take(TaskEvent(deed, f"u{number}", worker, 1.0, name=name, queue="q"), 1.0)
    turns = 0

    def take_turns() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0)
            turns += 1

    other = gevent.spawn(take_turns)
    families = collector._of_tasks({"a": ledger}, {"a"}, 1.0, branch.service)
    first = next(families)
    assert turns >= 3
    first.samples = [Sample(first.name, {"name": "x"}, 1.0)] * many
    turns = 0
    text_of([first], openmetrics=False)
    assert turns >= 3
    other.kill()


# --- dashboard --------------------------------------------------------------------------------


def test_the_dashboard_asks_for_what_is_told(branch: FakeBranch) -> None:
    board: Any = branch.client.simulate_get("/metrics/dashboard/").json
    by_sample = {sample: metric for metric in METRICS.values() for sample in metric.samples}
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]

    assert len(queries) >= len(board["panels"]) == len(PANELS)
    for query in queries:
        told = named(query)
        assert told.metrics, query
        for name in told.metrics:
            metric = by_sample[name]
            known = {*metric.labels, *TARGET_LABELS}
            assert told.labels - {"le"} <= known, query
            is_counted = metric.kind is not Kind.GAUGE
            assert (name in told.rated) == is_counted, f"{query} takes no rate, or a wrong one"


def test_the_dashboard_has_a_place_for_every_panel(branch: FakeBranch) -> None:
    board: Any = branch.client.simulate_get("/metrics/dashboard/").json
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]

    assert len(set(places)) == len(places)
    assert {x for x, _ in places} == {0, 12}
    assert [source["type"] for source in board["templating"]["list"]] == ["datasource"]
    for target in [target for panel in board["panels"] for target in panel["targets"]]:
        wanted = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        assert wanted <= named(target["expr"]).labels, target
        assert target["legendFormat"]
