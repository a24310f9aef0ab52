"""The walk-through and the routes of the reference, with curl as it is written there."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from cyme.api.server import HttpServer
from tests.api.branch import FakeBranch
from tests.api.wire import RawClient

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

VERBS = ["HEAD", "GET", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Curl:
    """Runs curl against the server, whatever host and port the URL of the reference names."""

    def __init__(self, server: HttpServer) -> None:
        host, port = server.address
        self._where = f"::{host}:{port}"

    def __call__(self, *arguments: str) -> Answer:
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "20", "--connect-to", self._where, *arguments],
            capture_output=True,
            check=True,
        )
        head, _, body = done.stdout.decode("latin-1").rpartition("\r\n\r\n")
        if not body and "\r\n\r\n" in head:
            head, _, body = head.partition("\r\n\r\n")
        line, *fields = head.split("\r\n\r\n")[-1].split("\r\n")
        headers = dict(field.split(": ", 1) for field in fields)
        return Answer(
            int(line.split(" ")[1]), {name.lower(): value for name, value in headers.items()}, body
        )


@pytest.fixture
def curl(server: HttpServer) -> Curl:
    return Curl(server)


def test_the_walk_through(curl: Curl) -> None:
    made = curl("-X", "POST", "-i", "http://localhost:8001/foo/")
    assert (made.status, made.json["name"]) == (201, "foo")
    assert made.headers["content-type"] == "application/json"

    edited = curl(
        "-X", "POST", "-i", "http://localhost/bar/", "-d",
        "hostname=w1&userid=me&password=me&vhost=/",
    )  # fmt: skip
    broker = edited.json["broker"]
    assert {name: broker[name] for name in ("hostname", "userid", "password", "virtual_host")} == {
        "hostname": "w1",
        "userid": "me",
        "password": "me",
        "virtual_host": "/",
    }

    instance = curl("-X", "PUT", "-i", "http://localhost:8001/foo/instances/")
    assert instance.status == 201
    name = instance.json["name"]
    assert uuid.UUID(name)

    listed = curl("-X", "GET", "-i", "http://localhost:8001/foo/instances/")
    assert (listed.status, listed.json) == (200, [name])

    queue = curl(
        "-X", "POST", "-d", "exchange=tasks&routing_key=tasks",
        "-i", "http://localhost:8001/foo/queues/tasks/",
    )  # fmt: skip
    assert (queue.status, queue.json["exchange_type"], queue.json["options"]) == (201, None, None)
    assert curl("-X", "GET", "-i", "http://localhost:8001/foo/queues/").json == ["tasks"]

    consuming = f"http://localhost:8001/foo/instances/{name}/queues/tasks"
    added = curl("-X", "PUT", "-i", consuming)
    assert (added.status, added.json) == (201, {"ok": "ok"})
    assert curl("-X", "DELETE", "-i", consuming).json == {"ok": "ok"}

    unnamed = curl("-X", "DELETE", "-i", "http://localhost:8001/foo/queues/")
    assert unnamed.status == 400
    assert curl("-X", "DELETE", "-i", "http://localhost:8001/foo/queues/?name=tasks").status == 200
    assert curl("-X", "DELETE", "-i", f"http://localhost:8001/instances/{name}/").status == 200
    assert curl("-i", "http://localhost:8001/instances/").json == []


def test_the_query_part_can_be_used_instead_of_post_data(curl: Curl) -> None:
    query = "hostname=w1&port=1234&userid=me&password=me&virtual_host=%2Fv"
    for verb in ("PUT", "POST"):
        broker = curl("-X", verb, "-i", f"http://localhost/{verb.lower()}/?{query}").json["broker"]
        assert (broker["port"], broker["virtual_host"]) == (1234, "/v")


def test_parameters_of_a_broker_without_hostname_are_ignored(curl: Curl) -> None:
    broker = curl("-X", "PUT", "-i", "http://localhost/foo/?port=1&userid=me").json["broker"]
    assert (broker["hostname"], broker["port"], broker["userid"]) == ("127.0.0.1", 5672, "guest")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_queues_a_url_byte_for_byte(branch: FakeBranch, curl: Curl, verb: str) -> None:
    branch.client.simulate_put("/foo/queues/tasks/")
    branch.client.simulate_put("/foo/")
    branch.client.simulate_put("/foo/queues/tasks/")
    target = "http://m/import_contacts?user=133&x=%2f%2F&&y=a+b%20c"
    arguments = ["-I"] if verb == "HEAD" else ["-i", "-X", verb, "--data-binary", "a b\n%&="]
    answer = curl(*arguments, f"http://localhost:8001/foo/queue/tasks/{target}")
    sent = branch.tasks.sent[-1]
    assert answer.status == 202
    assert answer.headers["x-cyme-task"] == sent.task_id
    assert (sent.request.method, sent.request.url) == (verb, target)
    assert sent.request.body == (b"" if verb == "HEAD" else b"a b\n%&=")
    if verb != "HEAD":
        assert answer.json["uuid"] == sent.task_id


def test_a_large_body_is_queued_whole(branch: FakeBranch, curl: Curl, tmp_path: Any) -> None:
    branch.client.simulate_put("/foo/")
    branch.client.simulate_put("/foo/queues/tasks/")
    body = bytes(range(256)) * 16 * 1024
    (tmp_path / "body").write_bytes(body)
    for headers in (["-H", "Expect: 100-continue"], ["-H", "Transfer-Encoding: chunked"]):
        answer = curl(
            "-i", *headers, "--data-binary", f"@{tmp_path / 'body'}",
            "http://localhost:8001/foo/queue/tasks/http://m/",
        )  # fmt: skip
        assert answer.status == 202
        assert branch.tasks.sent[-1].request.body == body
    (tmp_path / "body").write_bytes(body * 3)
    answer = curl(
        "-i", "--data-binary", f"@{tmp_path / 'body'}",
        "http://localhost:8001/foo/queue/tasks/http://m/",
    )  # fmt: skip
    assert answer.status == 413


def test_state_result_and_wait(branch: FakeBranch, curl: Curl) -> None:
    branch.client.simulate_put("/foo/")
    branch.client.simulate_put("/foo/queues/tasks/")
    task = curl("-i", "http://localhost/foo/queue/tasks/http://m/").json["uuid"]
    for end in ("state/", "state", "result/"):
        answer = curl("-i", f"http://localhost:8001/foo/query/{task}/{end}")
        assert (answer.status, answer.json["state"]) == (200, "PENDING")
    waited = curl("-i", f"http://localhost:8001/foo/query/{task}/wait/?timeout=0.1")
    assert (waited.status, waited.json["state"]) == (504, "PENDING")


@pytest.mark.parametrize(
    "path", ["/foo/instance/i1/stats/", "/foo/instance/i1/autoscale/", "/foo/", "/", "/ping/"]
)
def test_routes_answer_json_with_and_without_the_slash(
    branch: FakeBranch, server: HttpServer, path: str
) -> None:
    branch.client.simulate_put("/foo/instances/i1/")
    with RawClient(server.address) as client:
        with_slash = client.request(f"GET {path} HTTP/1.1")
        without = client.request(f"GET {path.rstrip('/') or '/'} HTTP/1.1")
        assert with_slash.status == without.status
        assert with_slash.json == without.json
