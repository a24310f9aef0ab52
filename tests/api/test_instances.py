from __future__ import annotations

import uuid

import pytest
from falcon import testing

from cyme.testing import FakeSupervisor
from tests.api.branch import OPERATOR, VIEWER, FakeBranch
from tests.waiting import eventually


def test_creates_an_anonymous_instance_as_the_reference_prints_it(
    client: testing.TestClient,
) -> None:
    reply = client.simulate_put("/foo/instances/")
    assert reply.status_code == 201
    made = reply.json
    assert uuid.UUID(made["name"])
    assert reply.headers["location"] == f"/foo/instances/{made['name']}/"
    assert reply.headers["etag"] == '"1.1"'
    assert made["is_enabled"] is True
    assert made["queues"] == []
    assert (made["max_concurrency"], made["min_concurrency"]) == (1, 1)
    assert made["broker"]["userid"] == "guest"
    assert (made["app"], made["branch"]) == ("foo", "branch1")
    assert (made["state"], made["pids"], made["restarts"]) == ("pending", [], 0)
    assert client.simulate_get("/foo/instances/").json == [made["name"]]


def test_creates_a_new_anonymous_instance_each_time(client: testing.TestClient) -> None:
    names = {client.simulate_put("/foo/instances/").json["name"] for _ in range(3)}
    assert len(names) == 3


def test_an_idempotency_key_finds_the_first_one(client: testing.TestClient) -> None:
    headers = {"Idempotency-Key": "abc"}
    first = client.simulate_post("/foo/instances/", headers=headers)
    second = client.simulate_post("/foo/instances/", headers=headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json["name"] == second.json["name"]
    assert (
        client.simulate_post("/foo/instances/", headers={"Idempotency-Key": ""}).status_code == 400
    )


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("PUT", "/foo/instances/i1/"),
        ("POST", "/foo/instances/i1"),
        ("PUT", "/foo/instance/i1/"),
        ("POST", "/foo/instances/?name=i1"),
    ],
)
def test_creates_a_named_instance(client: testing.TestClient, verb: str, path: str) -> None:
    reply = client.simulate_request(verb, path)
    assert (reply.status_code, reply.json["name"]) == (201, "i1")


@pytest.mark.parametrize(
    "path",
    [
        "/foo/instances/i1/",
        "/foo/instances/i1",
        "/foo/instance/i1/",
        "/instances/i1/",
        "/instances/i1",
    ],
)
def test_every_spelling_reaches_the_same_instance(branch: FakeBranch, path: str) -> None:
    client = branch.client
    client.simulate_put("/foo/instances/i1/")
    branch.supervisor.runs("i1", 71, 72)
    shown = client.simulate_get(path)
    assert (shown.json["name"], shown.json["state"], shown.json["pids"]) == (
        "i1",
        "running",
        [71, 72],
    )
    assert client.simulate_head(path).status_code == 200
    assert client.simulate_put(path + "?max_concurrency=4").json["max_concurrency"] == 4
    assert client.simulate_delete(path).json == {"ok": "ok"}
    assert client.simulate_get("/instances/").json == []


def test_shows_how_it_is_run_with_its_apps_defaults(client: testing.TestClient) -> None:
    client.simulate_put("/foo/?max_concurrency=7&pool=threads&broker=redis://:pw@h/1")
    client.simulate_put("/foo/queues/a/")
    made = client.simulate_put("/foo/instances/i1/", json={"queues": ["a"], "min_concurrency": 7})
    assert made.status_code == 201, made.text
    assert (made.json["pool"], made.json["max_concurrency"]) == ("threads", 7)
    assert made.json["broker"]["hostname"] == "h"
    assert made.json["broker"]["virtual_host"] == "1"
    assert made.json["queues"] == ["a"]


def test_tells_which_parameters_are_its_own(client: testing.TestClient) -> None:
    client.simulate_put("/foo/", json={"pool": "threads"})
    client.simulate_put("/foo/instances/i1/", json={"max_concurrency": 3, "is_enabled": False})
    shown = client.simulate_get("/foo/instances/i1/").json
    assert shown["own"] == ["max_concurrency", "is_enabled"]
    assert shown["pool"] == "threads"


def test_an_instance_of_another_app_is_not_found(client: testing.TestClient) -> None:
    client.simulate_put("/foo/instances/i1/")
    client.simulate_put("/bar/")
    assert client.simulate_get("/bar/instances/i1/").status_code == 404
    assert client.simulate_put("/bar/instances/i1/").status_code == 409
    assert client.simulate_get("/instances/i2/").status_code == 404
    assert client.simulate_put("/instances/i2/").status_code == 404


def test_waits_for_the_worker_when_asked_to(branch: FakeBranch) -> None:
    branch.supervisor.runs("i1")
    reply = branch.client.simulate_put("/foo/instances/i1/", headers={"Prefer": "wait=5"})
    assert branch.supervisor.waited == ["i1"]
    assert reply.headers["preference-applied"] == "wait=5"
    reply = branch.client.simulate_put("/foo/instances/i2/", headers={"Prefer": "wait=long"})
    assert reply.status_code == 400
    assert branch.client.simulate_get("/instances/").json == ["i1"], "what is refused is not done"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/foo/instances/!/i1/", "i1"),
        ("/foo/instance/!/i1", "i1"),
        ("/foo/instances/!/", None),
    ],
)
def test_creates_later_and_tells_the_name_at_once(
    client: testing.TestClient, path: str, name: str | None
) -> None:
    reply = client.simulate_put(path)
    assert reply.status_code == 202
    assert name in (None, reply.json["name"])
    eventually(lambda: client.simulate_get("/instances/").json == [reply.json["name"]])


def test_an_idempotency_key_holds_for_asynchronous_writes_too(client: testing.TestClient) -> None:
    headers = {"Idempotency-Key": "abc"}
    first = client.simulate_put("/foo/instances/!/", headers=headers)
    second = client.simulate_put("/foo/instances/", headers=headers)
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json["name"] == second.json["name"]


def test_deletes_later(client: testing.TestClient) -> None:
    client.simulate_put("/foo/instances/i1/")
    reply = client.simulate_delete("/foo/instances/!/i1/")
    assert (reply.status_code, reply.json) == (202, {"name": "i1", "app": "foo"})
    eventually(lambda: client.simulate_get("/instances/").json == [])


@pytest.mark.parametrize("path", ["/foo/instances/!/", "/foo/instances/!/i1/"])
def test_get_of_the_asynchronous_form_is_not_implemented(
    client: testing.TestClient, path: str
) -> None:
    reply = client.simulate_get(path)
    assert reply.status_code == 501
    assert reply.headers["content-type"] == "application/problem+json"


def test_if_match_compares_epoch_and_version(client: testing.TestClient) -> None:
    tag = client.simulate_put("/foo/instances/i1/").headers["etag"]
    assert tag == '"1.1"'
    path = "/foo/instances/i1/?max_concurrency=2"
    assert client.simulate_put(path, headers={"If-Match": '"2.1"'}).status_code == 412
    assert client.simulate_put(path, headers={"If-Match": tag}).headers["etag"] == '"1.2"'
    assert client.simulate_delete("/instances/i1/", headers={"If-Match": tag}).status_code == 412


# --- consumers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/foo/instances/i1/queues/t/", "/foo/instance/i1/queues/t"])
@pytest.mark.parametrize("verb", ["PUT", "POST"])
def test_adds_and_cancels_a_consumer(client: testing.TestClient, verb: str, path: str) -> None:
    client.simulate_put("/foo/instances/i1/")
    client.simulate_put("/foo/queues/t/")
    reply = client.simulate_request(verb, path)
    assert (reply.status_code, reply.json) == (201, {"ok": "ok"})
    assert client.simulate_request(verb, path).status_code == 200
    assert client.simulate_get("/foo/instances/i1/queues/").json == ["t"]
    assert client.simulate_get(path).json["name"] == "t"
    assert client.simulate_get("/foo/instances/i1/").json["queues"] == ["t"]
    assert client.simulate_delete(path).json == {"ok": "ok"}
    assert client.simulate_delete(path).status_code == 404
    assert client.simulate_get(path).status_code == 404


def test_consumers_need_a_declared_queue(client: testing.TestClient) -> None:
    client.simulate_put("/foo/instances/i1/")
    reply = client.simulate_put("/foo/instances/i1/queues/none/")
    assert reply.status_code == 404
    assert "PUT /foo/queues/none/" in reply.json["detail"]


def test_adds_and_cancels_a_consumer_later(client: testing.TestClient) -> None:
    client.simulate_put("/foo/instances/i1/")
    client.simulate_put("/foo/queues/t/")
    consumers = "/foo/instances/i1/queues/"
    reply = client.simulate_put(consumers + "!/t/")
    assert (reply.status_code, reply.json) == (202, {"name": "t", "app": "foo", "instance": "i1"})
    eventually(lambda: client.simulate_get(consumers).json == ["t"])
    assert client.simulate_delete(consumers + "!/t/").status_code == 202
    eventually(lambda: client.simulate_get(consumers).json == [])


# --- what a worker says, and is told -------------------------------------------------------------


def test_sets_and_shows_the_limits(client: testing.TestClient) -> None:
    client.simulate_put("/foo/instances/i1/")
    reply = client.simulate_post("/foo/instance/i1/autoscale/?max=10&min=2")
    assert (reply.status_code, reply.json) == (200, {"max": 10, "min": 2})
    assert client.simulate_put("/foo/instances/i1/autoscale?max=5").json == {"max": 5, "min": 2}
    assert client.simulate_get("/foo/instance/i1/autoscale/").json == {"max": 5, "min": 2}
    assert client.simulate_post("/foo/instance/i1/autoscale/").status_code == 400
    assert client.simulate_post("/foo/instance/i1/autoscale/?max=1&min=2").status_code == 400
    later = client.simulate_post(
        "/foo/instance/i1/autoscale/?max=6", headers={"Prefer": "respond-async"}
    )
    assert later.status_code == 202
    eventually(lambda: client.simulate_get("/foo/instance/i1/autoscale/").json["max"] == 6)


def test_shows_the_workers_statistics_once_it_runs(branch: FakeBranch) -> None:
    branch.client.simulate_put("/foo/instances/i1/")
    reply = branch.client.simulate_get("/foo/instance/i1/stats/")
    assert reply.status_code == 409
    branch.supervisor.runs("i1")
    reply = branch.client.simulate_get("/foo/instance/i1/stats/")
    assert reply.status_code == 504, "no fake worker answers"


@pytest.mark.parametrize(
    ("caller", "hidden"),
    [
        (VIEWER, {"userid", "transport_options", "alternates", "uri_prefix", "login_method"}),
        (OPERATOR, {"alternates", "uri_prefix", "login_method"}),
    ],
)
def test_shows_no_viewer_the_secrets_of_a_workers_broker(
    branch: FakeBranch,
    monkeypatch: pytest.MonkeyPatch,
    caller: dict[str, str],
    hidden: set[str],
) -> None:
    broker = {
        "hostname": "h",
        "port": 1,
        "transport": "sqs",
        "virtual_host": "/",
        "userid": "s3cret",
        "transport_options": {"secret_access_key": "s3cret"},
        "alternates": ["amqp://u:s3cret@h"],
        "uri_prefix": None,
        "login_method": "PLAIN",
    }
    monkeypatch.setattr(
        branch.service, "stats", lambda *_, **__: {"pid": 1, "broker": broker}, raising=False
    )
    reply = branch.closed.simulate_get("/foo/instances/i1/stats/", headers=caller).json
    assert reply["pid"] == 1
    assert reply["broker"] == {key: broker[key] for key in broker.keys() - hidden}


def test_a_pin_is_set_and_removed(branch: FakeBranch) -> None:
    put = branch.client.simulate_put
    assert put("/foo/instances/i1/").json["pinned"] is False
    pinned = put("/foo/instances/i1/", json={"pinned": True})
    assert (pinned.status_code, pinned.json["pinned"], pinned.headers["etag"]) == (
        200,
        True,
        '"1.2"',
    )
    assert put("/foo/instances/i1/?pool=solo").json["pinned"] is True, "nobody spoke of the pin"
    stale = put("/foo/instances/i1/?pinned=false", headers={"If-Match": '"1.2"'})
    assert (stale.status_code, branch.service.instance("i1").pinned) == (412, True)
    freed = put("/instances/i1/?pinned=false", headers={"If-Match": '"1.3"'})
    assert (freed.status_code, freed.json["pinned"]) == (200, False)
    told = branch.client.simulate_get("/foo/instances/i1/events/").json[-1]
    assert (told["kind"], told["data"]["changed"]) == ("instance.changed", ["pinned"])
    assert told["reason"].startswith("pin removed by ")


@pytest.mark.parametrize(
    ("query", "pinned"),
    [
        ("pinned=true", True),
        ("pinned=false", False),
        ("pinned=", False),
        ("branch=branch1", True),
        ("branch=branch1&pinned=false", False),
    ],
)
def test_an_instance_is_pinned_as_it_is_created(
    client: testing.TestClient, query: str, pinned: bool
) -> None:
    created = client.simulate_put(f"/foo/instances/i1/?{query}")
    assert (created.status_code, created.json["pinned"]) == (201, pinned)
    assert created.json["branch"] == "branch1"


def test_a_pin_is_removed_in_the_background(branch: FakeBranch) -> None:
    branch.client.simulate_put("/foo/instances/i1/?branch=branch1")
    assert branch.client.simulate_put("/foo/instances/!/i1/?pinned=false").status_code == 202
    eventually(lambda: not branch.service.instance("i1").pinned)


def test_a_pin_is_true_or_false(client: testing.TestClient) -> None:
    refused = client.simulate_put("/foo/instances/i1/?pinned=branch1")
    assert refused.status_code == 400
    assert refused.json["errors"] == [{"parameter": "pinned", "detail": "must be true or false"}]


def test_restarts_on_request(branch: FakeBranch) -> None:
    branch.client.simulate_put("/foo/instances/i1/")
    assert branch.client.simulate_post("/foo/instances/i1/restart/").json == {"ok": "ok"}
    assert branch.supervisor.restarted == ["i1"]
    assert branch.client.simulate_get("/foo/instances/i1/restart/").status_code == 405


def test_shows_an_instances_history(client: testing.TestClient) -> None:
    client.simulate_put("/foo/instances/i1/")
    events = client.simulate_get("/foo/instances/i1/events/").json
    assert [event["kind"] for event in events] == ["instance.created"]
    assert events[0]["instance"] == "i1"
    assert events[0]["at"].endswith("Z")


def test_a_viewer_reads_and_changes_nothing(branch: FakeBranch) -> None:
    branch.closed.simulate_put("/foo/instances/i1/", headers=OPERATOR)
    assert branch.closed.simulate_get("/foo/instances/i1/", headers=VIEWER).status_code == 200
    for verb, path in [
        ("PUT", "/foo/instances/"),
        ("DELETE", "/foo/instances/i1/"),
        ("POST", "/foo/instances/i1/restart/"),
        ("POST", "/foo/instances/i1/autoscale/?max=2"),
        ("PUT", "/foo/instances/i1/queues/q/"),
        ("DELETE", "/foo/instances/!/i1/"),
    ]:
        refused = branch.closed.simulate_request(verb, path, headers=VIEWER)
        assert refused.status_code == 403, (verb, path)
    assert isinstance(branch.supervisor, FakeSupervisor)
    assert branch.closed.simulate_get("/instances/", headers=VIEWER).json == ["i1"]
