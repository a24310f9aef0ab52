from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from falcon import testing

from cyme.api.targets import target_of
from cyme.core.task_ids import CHANCE_BYTES, task_id
from cyme.core.tasks import Outcome, SendOptions, TaskState
from cyme.errors import BrokerUnavailable, InvalidRequest
from tests.api.branch import OPERATOR, VIEWER, FakeBranch

ID = "0190163d-8694-739b-aea5-966c26f8ad91"
ID_OF_QUEUED_URL = task_id("branch1", bytes(CHANCE_BYTES))


@pytest.fixture(autouse=True)
def queue(branch: FakeBranch) -> None:
    branch.client.simulate_put("/foo/")
    branch.client.simulate_put("/foo/queues/tasks/")


def queued(target: str, query: str | None = None) -> str:
    env = {"RAW_URI": f"/foo/queue/tasks/{target}", "QUERY_STRING": query or ""}
    return target_of(env, "foo", "tasks")


# --- the target ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://m/import_contacts?user=133",
        "https://user:pw@m:8443/a%2Fb/%41?x=%20&y=a+b&&;=#"[:-1],
        "http://m",
        "http://m?",
        "http://m//a//b/?",
        "http://[::1]:80/",
        "HTTP://M/",
        "http://m/http://n/?u=http://o/",
    ],
)
def test_the_target_stays_byte_for_byte(url: str) -> None:
    assert queued(url) == url


@pytest.mark.parametrize(
    ("sent", "url"),
    [
        ("http:/m/x?a=1", "http://m/x?a=1"),
        ("https:/m", "https://m"),
        ("http%3A%2F%2Fm%2Fx%3Fa%3D%2541", "http://m/x?a=%41"),
        ("http%3a//m/x", "http://m/x"),
        ("http://m/\xc3\xa4?\xff", "http://m/%C3%A4?%FF"),
        ("http%3A%2F%2Fm%2Fa%20b", "http://m/a%20b"),
    ],
)
def test_understands_what_clients_and_proxies_make_of_it(sent: str, url: str) -> None:
    assert queued(sent) == url


def test_takes_the_query_from_the_environment_where_the_target_has_none() -> None:
    assert queued("http://m/x", "a=1") == "http://m/x?a=1"


@pytest.mark.parametrize(
    "target",
    [
        "",
        "m/x",
        "ftp://m/",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://m:port/",
        "http:x",
    ],
)
def test_refuses_what_no_worker_can_request(target: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        queued(target)
    assert caught.value.faults[0].parameter == "url"


def test_refuses_a_path_whose_slashes_are_hidden() -> None:
    env = {"RAW_URI": "/foo%2Fqueue%2Ftasks/a/b/http://m/", "QUERY_STRING": ""}
    with pytest.raises(InvalidRequest):
        target_of(env, "foo", "tasks")


# --- queueing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]
)
def test_every_verb_queues_a_request_of_that_verb(branch: FakeBranch, verb: str) -> None:
    reply = branch.client.simulate_request(
        verb, "/foo/queue/tasks/http://m/x", query_string="force=1&name=a"
    )
    assert reply.status_code == 202
    sent = branch.tasks.sent[-1]
    assert sent.request.method == verb
    assert sent.request.url == "http://m/x?force=1&name=a"
    assert sent.queue.name == "tasks"
    assert reply.headers["x-cyme-task"] == sent.task_id
    assert reply.headers["location"] == f"/foo/query/{sent.task_id}/state/"
    if verb != "HEAD":
        assert reply.json == {
            "uuid": sent.task_id,
            "url": sent.request.url,
            "queue": "tasks",
            "method": verb,
        }


def test_body_and_content_type_are_forwarded_as_they_came(branch: FakeBranch) -> None:
    body = b"username=George Costanza\ncompany=Vandelay Industries\0\xff"
    headers = {"Content-Type": 'Text/Odd; charset="x"'}
    branch.client.simulate_post("/foo/queue/tasks/http://m/", body=body, headers=headers)
    sent = branch.tasks.sent[-1].request
    assert (sent.body, sent.content_type) == (body, 'Text/Odd; charset="x"')


def test_options_ride_in_headers(branch: FakeBranch) -> None:
    headers = {
        "X-Cyme-Countdown": "1.5",
        "X-Cyme-Expires": "2030-01-31T12:00:00+02:00",
        "X-Cyme-Priority": "9",
        "X-Cyme-Retries": "3",
        "X-Cyme-Timeout": "2",
    }
    branch.client.simulate_get("/foo/queue/tasks/http://m/", headers=headers)
    sent = branch.tasks.sent[-1]
    assert sent.options == SendOptions(
        countdown_s=1.5, expires_at=datetime(2030, 1, 31, 10, tzinfo=UTC), priority=9
    )
    assert (sent.request.retries, sent.request.timeout_s) == (3, 2.0)
    headers = {"X-Cyme-Eta": "2030-01-31T12:00:00Z", "X-Cyme-Expires": "60"}
    branch.client.simulate_get("/foo/queue/tasks/http://m/", headers=headers)
    assert branch.tasks.sent[-1].options == SendOptions(
        eta=datetime(2030, 1, 31, 12, tzinfo=UTC), expires_s=60.0
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Cyme-Countdown": "-1"},
        {"X-Cyme-Countdown": "soon"},
        {"X-Cyme-Eta": "2030-01-31T12:00:00"},
        {"X-Cyme-Countdown": "1", "X-Cyme-Eta": "2030-01-31T12:00:00Z"},
        {"X-Cyme-Priority": "10"},
        {"X-Cyme-Timeout": "0"},
        {"X-Cyme-Countdwon": "1"},
        {"X-Cyme-Eta": "0001-01-01T00:00:00+23:59"},
        {"X-Cyme-Eta": "9999-12-31T23:59:59Z"},
        {"X-Cyme-Expires": "9999-12-31T23:59:59-23:59"},
    ],
)
def test_refuses_options_that_cannot_be_kept(branch: FakeBranch, headers: dict[str, str]) -> None:
    reply = branch.client.simulate_get("/foo/queue/tasks/http://m/", headers=headers)
    assert reply.status_code == 400
    assert reply.json["errors"][0]["parameter"].startswith("X-Cyme-")
    assert branch.tasks.sent == []


@pytest.mark.parametrize("path", ["/foo/queue/tasks", "/foo/queue/tasks/", "/foo/queue/tasks/m/x"])
def test_a_missing_scheme_is_told(client: testing.TestClient, path: str) -> None:
    reply = client.simulate_get(path)
    assert reply.status_code == 400
    assert "/foo/queue/tasks/http://host/path" in reply.json["detail"]


def test_a_queue_must_be_declared_or_direct(branch: FakeBranch) -> None:
    assert branch.client.simulate_get("/foo/queue/none/http://m/").status_code == 404
    branch.client.simulate_put("/foo/instances/i1/")
    assert branch.client.simulate_get("/foo/queue/dq.i1/http://m/").status_code == 202
    assert branch.tasks.sent[-1].queue.name == "dq.i1"


def test_says_that_the_broker_is_away(branch: FakeBranch) -> None:
    branch.tasks.failure = BrokerUnavailable("The broker does not answer.", 7.0)
    reply = branch.client.simulate_get("/foo/queue/tasks/http://m/")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "7")


def test_a_get_that_queues_takes_an_operator(branch: FakeBranch) -> None:
    path = "/foo/queue/tasks/http://m/"
    assert branch.closed.simulate_get(path, headers=VIEWER).status_code == 403
    assert branch.tasks.sent == []
    assert branch.closed.simulate_get(path, headers=OPERATOR).status_code == 202


# --- what became of it ---------------------------------------------------------------------------


def test_shows_state_and_result(branch: FakeBranch) -> None:
    response = {"status_code": 200, "url": "http://m/", "headers": {}, "content": "hi"}
    branch.tasks.outcomes[ID] = Outcome(state=TaskState.SUCCESS, result=response)
    get = branch.client.simulate_get
    assert get(f"/foo/query/{ID}/state/").json == {"uuid": ID, "state": "SUCCESS"}
    expected = {"uuid": ID, "state": "SUCCESS", "result": response}
    assert get(f"/foo/query/{ID}/result/").json == expected
    assert get(f"/foo/query/{ID}/wait").json == expected


def test_an_unknown_task_is_pending(client: testing.TestClient) -> None:
    assert client.simulate_get(f"/foo/query/{ID}/state/").json == {"uuid": ID, "state": "PENDING"}
    assert client.simulate_get(f"/foo/query/{ID}/result/").json["result"] is None
    assert client.simulate_get(f"/nope/query/{ID}/state/").status_code == 404


def test_a_failure_is_told_with_its_exception_and_traceback(branch: FakeBranch) -> None:
    error: Any = {"exc_type": "ConnectionError", "exc_message": "refused"}
    branch.tasks.outcomes[ID] = Outcome(state=TaskState.FAILURE, result=error, traceback="T")
    for end in ("result", "wait"):
        reply = branch.client.simulate_get(f"/foo/query/{ID}/{end}/")
        expected = {"uuid": ID, "state": "FAILURE", "result": error, "traceback": "T"}
        assert (reply.status_code, reply.json) == (200, expected)


def test_wait_answers_504_with_the_state_so_far(branch: FakeBranch) -> None:
    branch.tasks.outcomes[ID] = Outcome(state=TaskState.STARTED)
    reply = branch.client.simulate_get(f"/foo/query/{ID}/wait/?timeout=0.1")
    assert reply.status_code == 504
    assert (reply.json["uuid"], reply.json["state"]) == (ID, "STARTED")
    assert branch.client.simulate_get(f"/foo/query/{ID}/wait/?timeout=601").status_code == 400


def test_a_viewer_reads_no_result_of_a_task_that_is_no_queued_url(branch: FakeBranch) -> None:
    outcome = Outcome(state=TaskState.SUCCESS, result="hush")
    branch.tasks.outcomes |= {ID: outcome, ID_OF_QUEUED_URL: outcome}
    for end in ("result", "wait"):
        refused = branch.closed.simulate_get(f"/foo/query/{ID}/{end}/", headers=VIEWER)
        assert refused.status_code == 403
        assert "hush" not in refused.text
        read = branch.closed.simulate_get(f"/foo/query/{ID}/{end}/", headers=OPERATOR)
        assert read.json["result"] == "hush"
        path = f"/foo/query/{ID_OF_QUEUED_URL}/{end}/"
        assert branch.closed.simulate_get(path, headers=VIEWER).json["result"] == "hush"
    state = branch.closed.simulate_get(f"/foo/query/{ID}/state/", headers=VIEWER)
    assert state.json == {"uuid": ID, "state": "SUCCESS"}
