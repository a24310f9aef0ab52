from __future__ import annotations

from typing import Any

import pytest
from falcon import testing

from cyme.api import apps, conditions, instances, queues
from cyme.api.representations.workers import Representations
from cyme.core.access import Caller, Role
from cyme.core.model import EPOCH_STAMP, MASK, App, AppName, Broker, WorkerSpec
from cyme.errors import DeadlineExceeded, StorageFull, StorageUnavailable
from tests.api.branch import ADMIN, OPERATOR, VIEWER, FakeBranch
from tests.waiting import eventually


@pytest.mark.parametrize("verb", ["PUT", "POST"])
@pytest.mark.parametrize("path", ["/foo/", "/foo"])
def test_creates_an_app_as_the_reference_prints_it(
    client: testing.TestClient, verb: str, path: str
) -> None:
    reply = client.simulate_request(verb, path)
    assert reply.status_code == 201
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["location"] == "/foo/"
    assert reply.headers["etag"] == '"1"'
    broker = reply.json["broker"]
    assert reply.json["name"] == "foo"
    assert broker.pop("url") == "amqp://guest:********@127.0.0.1:5672//"
    assert broker == {
        "hostname": "127.0.0.1",
        "port": 5672,
        "userid": "guest",
        "password": "guest",
        "virtual_host": "/",
    }
    assert client.simulate_get("/").json == ["foo"]


def test_repeating_a_put_changes_nothing(client: testing.TestClient) -> None:
    first = client.simulate_put("/foo/?max_concurrency=3")
    second = client.simulate_put("/foo/?max_concurrency=3")
    assert second.status_code == 200
    assert "location" not in second.headers
    assert second.json == first.json


def test_a_differing_put_updates_and_leaves_the_rest(client: testing.TestClient) -> None:
    client.simulate_put("/foo/?max_concurrency=3")
    reply = client.simulate_put("/foo/?pool=threads")
    assert (reply.status_code, reply.headers["etag"]) == (200, '"2"')
    assert (reply.json["pool"], reply.json["max_concurrency"]) == ("threads", 3)
    reply = client.simulate_put("/foo/", json={"max_concurrency": None})
    assert reply.json["max_concurrency"] is None


def test_shows_an_app_and_the_names_of_its_instances(client: testing.TestClient) -> None:
    client.simulate_put("/foo/instances/i1/")
    shown = client.simulate_get("/foo/").json
    assert shown["instances"] == ["i1"]
    assert shown["created_at"] == "2011-08-15T22:06:43Z"


def test_deletes_an_app_only_when_it_is_empty_or_by_force(client: testing.TestClient) -> None:
    client.simulate_put("/foo/instances/i1/")
    reply = client.simulate_delete("/foo/")
    assert reply.status_code == 409
    assert "i1" in reply.json["detail"]
    reply = client.simulate_delete("/foo/?force=true")
    assert (reply.status_code, reply.json) == (200, {"ok": "ok"})
    assert client.simulate_get("/foo/").status_code == 404


@pytest.mark.parametrize("name", ["..", "-x", "a b", "x" * 129, "instances", "%C3%A4", "a%2Fb"])
def test_refuses_a_name_that_is_none(client: testing.TestClient, name: str) -> None:
    reply = client.simulate_put(f"/{name}/")
    assert reply.status_code in {400, 404, 405}
    assert reply.headers["content-type"] == "application/problem+json"
    assert client.simulate_get("/").json == []


# --- conditions ----------------------------------------------------------------------------------


def test_answers_304_to_who_has_it_already(client: testing.TestClient) -> None:
    tag = client.simulate_put("/foo/").headers["etag"]
    for known in (tag, f'"9", W/{tag}', "*"):
        reply = client.simulate_get("/foo/", headers={"If-None-Match": known})
        assert (reply.status_code, reply.text) == (304, "")
        assert reply.headers["etag"] == tag
    assert client.simulate_get("/foo/", headers={"If-None-Match": '"9"'}).status_code == 200


def test_a_new_instance_changes_the_tag_and_not_the_version(client: testing.TestClient) -> None:
    tag = client.simulate_put("/foo/").headers["etag"]
    client.simulate_put("/foo/instances/i1/")
    reply = client.simulate_get("/foo/", headers={"If-None-Match": tag})
    assert reply.status_code == 200
    assert reply.headers["etag"] != tag
    reply = client.simulate_put("/foo/?pool=solo", headers={"If-Match": reply.headers["etag"]})
    assert reply.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"1"'}, 200),
        ({"If-Match": '"7", "1"'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"2"'}, 412),
        ({"If-Match": 'W/"1"'}, 412),
        ({"If-Match": "1"}, 412),
        ({"If-None-Match": "*"}, 412),
    ],
)
def test_writes_only_what_the_caller_has_seen(
    client: testing.TestClient, headers: dict[str, str], status: int
) -> None:
    client.simulate_put("/foo/")
    reply = client.simulate_put("/foo/?pool=solo", headers=headers)
    assert reply.status_code == status
    expected = "solo" if status == 200 else None
    assert client.simulate_get("/foo/").json["pool"] == expected
    assert client.simulate_delete("/foo/", headers={"If-Match": '"9"'}).status_code == 412


def test_if_match_of_what_does_not_exist_fails(client: testing.TestClient) -> None:
    assert client.simulate_put("/foo/", headers={"If-Match": "*"}).status_code == 412
    assert client.simulate_put("/foo/", headers={"If-None-Match": "*"}).status_code == 201


@pytest.mark.parametrize("path", ["/foo/", "/foo/instances/i/", "/foo/queues/q/"])
def test_of_two_who_create_at_a_time_one_succeeds(
    branch: FakeBranch, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client = branch.client
    if path != "/foo/":
        client.simulate_put("/foo/")
    expected_version = conditions.expected_version

    def overtaken(req: Any, find: Any) -> int | None:
        version = expected_version(req, find)
        if req.env.get("HTTP_IF_NONE_MATCH"):
            assert client.simulate_put(path).status_code == 201
        return version

    for module in (apps, instances, queues):
        monkeypatch.setattr(module, "expected_version", overtaken)
    assert client.simulate_put(path, headers={"If-None-Match": "*"}).status_code == 412


# --- asynchronous writes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers"), [("/!/foo/", {}), ("/foo/", {"Prefer": "respond-async, wait=5"})]
)
def test_answers_before_it_is_done_when_asked_to(
    client: testing.TestClient, path: str, headers: dict[str, str]
) -> None:
    reply = client.simulate_put(path, headers=headers)
    assert (reply.status_code, reply.json["name"]) == (202, "foo")
    assert reply.headers["location"] == "/foo/"
    eventually(lambda: client.simulate_get("/").json == ["foo"])
    assert client.simulate_delete(path, headers=headers).status_code == 202
    eventually(lambda: client.simulate_get("/").json == [])


def test_says_at_once_what_is_wrong_with_an_asynchronous_write(
    client: testing.TestClient,
) -> None:
    assert client.simulate_put("/!/-foo/").status_code == 400
    assert client.simulate_put("/!/foo/?arguments=--nonsense").status_code == 400
    for path in (
        "/!/-foo/",
        "/foo/instances/!/-i/",
        "/foo/queues/!/%0a/",
        "/foo/instances/i/queues/!/-q/",
        "/foo/instances/-i/queues/!/q/",
    ):
        assert client.simulate_delete(path).status_code == 400
    assert client.simulate_put("/foo/instances/i/queues/!/-q/").status_code == 400


def test_get_with_the_asynchronous_form_is_not_implemented(client: testing.TestClient) -> None:
    assert client.simulate_get("/!/foo/").status_code == 501


# --- who sees and does what ----------------------------------------------------------------------


def test_shows_secrets_to_those_only_who_may_write(branch: FakeBranch) -> None:
    closed = branch.closed
    parameters = {
        "hostname": "w1",
        "userid": "me",
        "password": "s3cret",
        "result_backend": "redis://:s3cret@r:6379/0",
        "extra_config": "task_default_queue=a",
        "env": '{"SECRET": "s3cret"}',
    }
    made = closed.simulate_put("/foo/", params=parameters, headers=ADMIN)
    assert made.status_code == 201
    assert made.json["broker"]["password"] == "s3cret"
    for caller in (OPERATOR, ADMIN):
        shown = closed.simulate_get("/foo/", headers=caller).json
        assert shown["broker"]["password"] == "s3cret"
        assert shown["env"] == {"SECRET": "s3cret"}
        assert "s3cret" not in shown["broker"]["url"] + shown["result_backend"]
    shown = closed.simulate_get("/foo/", headers=VIEWER)
    assert "s3cret" not in shown.text
    assert shown.json["broker"]["password"] == "********"
    assert shown.json["env"] == {"SECRET": "********"}
    assert shown.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "later"), [("/foo/", "/!/foo/"), ("/foo/instances/w1/", "/foo/instances/!/w1/")]
)
def test_promises_nothing_in_the_background_that_the_caller_may_not_do(
    branch: FakeBranch, path: str, later: str
) -> None:
    put = branch.closed.simulate_put
    refused = put(later, json={"celery_app": "shop"}, headers=OPERATOR)
    assert refused.status_code == 403
    assert "role admin" in refused.json["detail"]
    put(path, json={"celery_app": "shop"}, headers=ADMIN)
    kept = put(later, json={"celery_app": "shop", "pool": "solo"}, headers=OPERATOR)
    assert kept.status_code == 202, "what is so already is no change"
    eventually(lambda: branch.client.simulate_get(path).json["pool"] == "solo")
    assert put(later, json={"celery_app": None}, headers=OPERATOR).status_code == 403


def test_a_masked_result_backend_overwrites_none(branch: FakeBranch) -> None:
    put = branch.client.simulate_put
    shown = put("/foo/", json={"result_backend": "redis://:s3cret@r/0"}).json["result_backend"]
    refused = put("/foo/", json={"result_backend": shown, "pool": "solo"})
    assert refused.status_code == 400
    assert [error["parameter"] for error in refused.json["errors"]] == ["result_backend"]
    assert branch.service.app("foo").spec.result_backend == "redis://:s3cret@r/0"
    assert branch.service.app("foo").spec.pool is None


def test_labels_are_taken_as_text_or_json_and_shown_as_an_object(branch: FakeBranch) -> None:
    client = branch.client
    assert client.simulate_put("/foo/").json["labels"] is None
    assert client.simulate_put("/foo/instances/i/").json["labels"] is None
    form = {"labels": "zone=a,disk=ssd"}
    assert client.simulate_put("/foo/", params=form).json["labels"] == {"disk": "ssd", "zone": "a"}
    assert client.simulate_get("/foo/instances/i/").json["labels"] == {"disk": "ssd", "zone": "a"}
    own = client.simulate_put("/foo/instances/i/", json={"labels": {"zone": "b"}})
    assert own.json["labels"] == {"zone": "b"}
    none = client.simulate_put("/foo/instances/i/", params={"labels": "{}"})
    assert none.json["labels"] == {}
    back = client.simulate_put("/foo/instances/i/", json={"labels": None})
    assert back.json["labels"] == {"disk": "ssd", "zone": "a"}
    wrong = client.simulate_put("/foo/?labels=zone")
    assert (wrong.status_code, "zone=a,disk=ssd" in wrong.json["detail"]) == (400, True)


def test_lets_only_administrators_choose_code(branch: FakeBranch) -> None:
    branch.closed.simulate_put("/foo/", headers=ADMIN)
    refused = branch.closed.simulate_put("/foo/?celery_app=proj", headers=OPERATOR)
    assert refused.status_code == 403
    allowed = branch.closed.simulate_put("/foo/?celery_app=proj", headers=ADMIN)
    assert allowed.json["celery_app"] == "proj"


# --- when things fail ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "status", "retry_after"),
    [
        (StorageFull("The disk is full.", 30.0), 507, "30"),
        (StorageUnavailable("The database is read-only."), 503, "5"),
        (DeadlineExceeded("It took too long."), 504, "1"),
    ],
)
def test_says_when_to_try_again(
    branch: FakeBranch, failure: StorageUnavailable, status: int, retry_after: str
) -> None:
    branch.store.failure = failure
    reply = branch.client.simulate_put("/foo/")
    assert reply.status_code == status
    assert reply.headers["retry-after"] == retry_after
    assert reply.json["detail"] == failure.detail
    branch.store.failure = None
    assert branch.client.simulate_put("/foo/").status_code == 201


def test_tells_nothing_of_an_error_nobody_foresaw_but_its_id(
    branch: FakeBranch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_records: object) -> None:
        raise IndexError("within")

    branch.store.before_write = broken
    reply = branch.client.simulate_put("/foo/")
    assert reply.status_code == 500
    assert "IndexError" not in reply.text
    assert reply.json["id"] in caplog.text
    assert "IndexError" in caplog.text


def test_masks_passwords_in_options_for_a_viewer() -> None:
    settings = "redis_backend=redis://:s3cret@h/1 broker_url=amqp://u:s3cret@h//"
    representations = Representations()
    app = App(
        name=AppName("foo"),
        spec=WorkerSpec(extra_config=settings, arguments="--x redis://u:s3cret@h/0"),
        stamp=EPOCH_STAMP,
    )
    shown = representations.app(app, [], Caller(Role.VIEWER, "vera"))
    assert shown.extra_config == settings.replace("s3cret", MASK)
    assert shown.arguments == "--x redis://u:********@h/0"
    assert representations.app(app, [], Caller(Role.OPERATOR, "otto")).extra_config == settings


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a=b c", "a=b c"),
        ("x=redis://h:6379/0", "x=redis://h:6379/0"),
        ("x=redis://me:s3cret@h/0", "x=redis://me:********@h/0"),
        ('\'x={"u": "redis://:s3cret@h"}\'', '\'x={"u": "redis://:********@h"}\''),
        (
            '{"a":"amqp://u:s3cret@h","b":"amqp://v:s3cret2@i"}',
            '{"a":"amqp://u:********@h","b":"amqp://v:********@i"}',
        ),
        ("--x=amqp://u:s3@cr:et@h//", "--x=amqp://u:********@h//"),
        ("x=redis://h/0?password=s3cret&db=1", "x=redis://h/0?password=********&db=1"),
        ('"x=redis://h/?a=1&api_key=s3cret"', '"x=redis://h/?a=1&api_key=********"'),
    ],
)
def test_a_viewer_sees_no_password_wherever_its_url_stands(given: str, shown: str) -> None:
    app = App(
        name=AppName("foo"),
        spec=WorkerSpec(extra_config=given, arguments=given),
        stamp=EPOCH_STAMP,
    )
    reply = Representations().app(app, [], Caller(Role.VIEWER, "vera"))
    assert (reply.extra_config, reply.arguments) == (shown, shown)


def test_the_cache_of_brokers_is_bounded() -> None:
    representations = Representations()
    for number in range(2000):
        spec = WorkerSpec(broker=Broker(f"amqp://u:p@h{number}//"))
        app = App(name=AppName("foo"), spec=spec, stamp=EPOCH_STAMP)
        shown = representations.app(app, [], Caller(Role.OPERATOR, "otto")).broker
        assert shown is not None
        assert shown.hostname == f"h{number}"
    assert len(representations._brokers) <= 512
