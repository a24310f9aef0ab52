"""How the cluster does, and one queue of it."""

from __future__ import annotations

from dataclasses import replace

import falcon

from cyme.core.vitals import InstanceVitals, QueueVitals
from cyme.errors import BrokerUnavailable
from tests.api.branch import ADMIN, OPERATOR, VIEWER, FakeBranch

ROW = QueueVitals(
    app="shop",
    name="mails",
    broker="redis://:********@127.0.0.1:7000/0",
    depth=3,
    consumers=1,
    oldest_s=9.87654,
    in_rate=1.0,
)


def declare(branch: FakeBranch, *names: str) -> None:
    branch.client.simulate_put("/shop/")
    for name in names:
        branch.client.simulate_put(f"/shop/queues/{name}/")


def test_tells_of_branches_instances_queues_and_tasks(branch: FakeBranch) -> None:
    branch.client.simulate_put("/shop/instances/w1/")
    branch.supervisor.told = [
        InstanceVitals(name="w1", cpu=0.12345, memory_bytes=7, processes=2, uptime_s=60.0, slots=4)
    ]
    branch.watching.told = (ROW, replace(ROW, name="orders", depth=None, error="it is away"))
    told = branch.client.simulate_get("/cluster/vitals/").json

    assert told["instances"] == {
        "w1": {
            "cpu": 0.123,
            "memory_bytes": 7,
            "processes": 2,
            "uptime_s": 60.0,
            "slots": 4,
            "busy": None,
        }
    }
    mails, orders = told["queues"]
    assert mails == {
        "app": "shop",
        "name": "mails",
        "broker": ROW.broker,
        "depth": 3,
        "consumers": 1,
        "oldest_s": 9.877,
        "in_rate": 1.0,
        "out_rate": None,
        "error": "",
    }
    assert (orders["depth"], orders["error"]) == (None, "it is away")
    assert told["branches"]["branch1"] == {
        "load": 1.5,
        "hub_lag_s": 0.25,
        "instances": 1,
        "memory_bytes": 90_000_000,
    }
    assert set(told["tasks"]) == {
        "rate", "failure_rate", "succeeded", "failed", "retried", "series"
    }  # fmt: skip
    assert (told["alerts"], told["missing"]) == ([], [])


def test_a_queue_is_asked_at_once(branch: FakeBranch) -> None:
    declare(branch, "mails")
    branch.watching.depths["mails"] = 12
    told = branch.client.simulate_get("/shop/queues/mails/stats/")

    assert (told.json["name"], told.json["depth"]) == ("mails", 12)
    assert branch.client.simulate_get("/shop/queues/no/stats/").status == falcon.HTTP_404
    branch.watching.failure = BrokerUnavailable("The broker cannot be reached.")
    assert branch.client.simulate_get("/shop/queues/mails/stats/").status == falcon.HTTP_503


def test_a_queue_is_purged_with_its_count(branch: FakeBranch) -> None:
    declare(branch, "mails")
    branch.watching.depths["mails"] = 12
    path = "/shop/queues/mails/purge/"

    assert branch.client.simulate_post(path).status == falcon.HTTP_400
    assert branch.client.simulate_post(path, params={"expect": "-1"}).status == falcon.HTTP_400
    told = branch.client.simulate_post(path, params={"expect": "12"})
    assert (told.status, told.json) == (falcon.HTTP_200, {"purged": 12})
    branch.watching.depths["mails"] = 1000
    assert branch.client.simulate_post(path, params={"expect": "12"}).status == falcon.HTTP_409


def test_viewers_look_and_operators_purge(branch: FakeBranch) -> None:
    declare(branch, "mails")
    for path in ("/cluster/vitals/", "/shop/queues/mails/stats/"):
        assert branch.closed.simulate_get(path).status == falcon.HTTP_401
        assert branch.closed.simulate_get(path, headers=VIEWER).status == falcon.HTTP_200
    purge, expect = "/shop/queues/mails/purge/", {"expect": "0"}
    for headers, status in (
        (VIEWER, falcon.HTTP_403),
        (OPERATOR, falcon.HTTP_200),
        (ADMIN, falcon.HTTP_200),
    ):
        reply = branch.closed.simulate_post(purge, params=expect, headers=headers)
        assert reply.status == status
