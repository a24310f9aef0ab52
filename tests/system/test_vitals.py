"""How a branch, its worker and a queue do, while tasks are done, wait and are removed."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cyme.api.metering.dashboard import TARGET_LABELS
from cyme.api.metering.table import METRICS
from tests.promql import named
from tests.system.branches import Branch
from tests.system.conftest import StartBranch
from tests.system.target import Target
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

#: More than are purged by who expects none.
WAITING = 110


def vitals(branch: Branch) -> dict[str, Any]:
    told = branch.get("/cluster/vitals/")
    assert isinstance(told, dict)
    return told


def row(branch: Branch) -> dict[str, Any]:
    return next(each for each in vitals(branch)["queues"] if each["name"] == "mails")


def fill(branch: Branch, target: Target, count: int) -> list[str]:
    connection, uuids = branch.connection(), []
    for number in range(count):
        connection.request("GET", f"/shop/queue/mails/{target.url}/{number}")
        response = connection.getresponse()
        body = response.read()
        assert response.status == 202, body
        uuids.append(response.headers["X-Cyme-Task"])
    connection.close()
    return uuids


def metrics(branch: Branch) -> dict[str, list[Any]]:
    """Return the samples of each family that is told."""
    reply = branch.ask("GET", "/metrics")
    assert reply.status == 200
    families = text_string_to_metric_families(reply.body.decode())
    return {family.name: list(family.samples) for family in families}


def test_tasks_are_done_wait_and_are_removed(start_branch: StartBranch, target: Target) -> None:
    branch = start_branch("--sup-interval", "2")
    branch.put("/shop/")
    branch.put("/shop/queues/mails/")
    branch.put("/shop/instances/w1/", queues="mails")
    branch.running("shop", "w1")

    _does(branch, fill(branch, target, 3))
    _is_measured(branch)
    _dashboard_asks_for_what_is_told(branch)

    # Only told to consume no more, a worker on Redis still takes what its last request brings.
    branch.put("/shop/instances/w1/", is_enabled=False)
    eventually(lambda: branch.member("/shop/instances/w1/", "state") == "stopped", 30)
    eventually(lambda: row(branch)["consumers"] == 0, 30)
    fill(branch, target, WAITING)
    _waits(branch)
    _is_removed(branch)


def _does(branch: Branch, uuids: list[str]) -> None:
    for uuid in uuids:
        assert branch.member(f"/shop/query/{uuid}/wait/?timeout=30", "state") == "SUCCESS"
    eventually(lambda: vitals(branch)["tasks"]["succeeded"] == len(uuids), 20)


def _is_measured(branch: Branch) -> None:
    """See what the worker takes, told by the cluster and to Prometheus."""
    worker = eventually(
        lambda: (it := vitals(branch)["instances"]["w1"])["cpu"] is not None and it, 20
    )
    assert worker["processes"] == len(branch.worker_processes("w1"))
    assert worker["memory_bytes"] > 20_000_000
    assert worker["uptime_s"] > 0
    assert (worker["slots"], worker["busy"]) == (1, 0)
    assert vitals(branch)["branches"]["branch1"]["memory_bytes"] > 20_000_000

    told = metrics(branch)
    (memory,) = told["cyme_instance_memory_bytes"]
    assert memory.labels == {"app": "shop", "instance_name": "w1"}
    assert memory.value > 20_000_000
    (done,) = told["celery_task_succeeded"]
    assert done.labels == {
        "name": "cyme.tasks.webhook",
        "queue_name": "mails",
        "hostname": "w1@branch1",
    }
    assert done.value == 3
    (alive,) = told["celery_worker_up"]
    assert (alive.labels["hostname"], alive.value) == ("w1@branch1", 1)


def _dashboard_asks_for_what_is_told(branch: Branch) -> None:
    told = metrics(branch)
    board: Any = branch.get("/metrics/dashboard/")
    by_sample = {sample: metric for metric in METRICS.values() for sample in metric.samples}
    for query in [target["expr"] for panel in board["panels"] for target in panel["targets"]]:
        asked = named(query)
        for name in asked.metrics:
            metric = by_sample[name]
            labels = {*metric.labels, "le"}
            assert metric.family in told, query
            for sample in told[metric.family]:
                assert set(sample.labels) <= labels, sample
            assert asked.labels <= labels | TARGET_LABELS, query


def _waits(branch: Branch) -> None:
    """See a queue fill that nobody consumes from."""
    asked: Any = branch.get("/shop/queues/mails/stats/")
    assert (asked["depth"], asked["consumers"]) == (WAITING, 0)
    assert asked["oldest_s"] < 60
    first = eventually(lambda: (it := row(branch))["depth"] == WAITING and it, 20)
    assert "********" in first["broker"]
    later = eventually(lambda: (it := row(branch))["oldest_s"] > first["oldest_s"] + 1 and it, 20)
    assert later["error"] == ""
    (length,) = metrics(branch)["celery_queue_length"]
    assert (length.labels["queue_name"], length.value) == ("mails", WAITING)
    assert "@" not in length.labels["broker"]


def _is_removed(branch: Branch) -> None:
    """Purge the queue, with the count in hand."""
    path = "/shop/queues/mails/purge/"
    assert branch.post(path).status == 400
    refused = branch.post(f"{path}?expect=0")
    assert refused.status == 409
    assert str(WAITING) in str(refused.member("detail"))
    purged = branch.post(f"{path}?expect={WAITING}")
    assert (purged.status, purged.json) == (200, {"purged": WAITING})
    events: Any = branch.get("/events/?follow=0&kind=queue.purged")
    assert [(each["data"]["count"], each["data"]["by"]) for each in events] == [(WAITING, "admin")]
    eventually(lambda: row(branch)["depth"] == 0, 20)
