"""The walk-throughs of the reference, with curl as written there, on every kind of broker."""

from __future__ import annotations

import uuid
from http.client import HTTPConnection

import pytest

from tests.system.branches import Branch
from tests.system.conftest import StartBranch
from tests.system.curl import curl
from tests.system.remote import consumed_queues
from tests.system.target import VERBS, Seen, Target
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(params=["embedded", "redis", "rabbitmq"])
def broker_arguments(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if request.param == "embedded":
        return ()
    return ("--broker", request.getfixturevalue(f"{request.param}_url"))


def test_the_introduction_works_as_it_is_written(
    start_branch: StartBranch, broker_arguments: tuple[str, ...], target: Target
) -> None:
    branch = start_branch(*broker_arguments)
    url = branch.url

    # A new application, and one with a broker of its own.
    created = curl("-X", "POST", f"{url}/foo/")
    assert created.status == 201
    assert created.headers["content-type"].startswith("application/json")
    assert created.members["name"] == "foo"
    broker = created.members["broker"]
    assert isinstance(broker, dict)
    assert {"hostname", "port", "userid", "password", "virtual_host"} <= broker.keys()
    edited = curl("-X", "POST", f"{url}/bar/", "-d", "hostname=w1&userid=me&password=me&vhost=/")
    assert edited.status == 201
    own = edited.members["broker"]
    assert isinstance(own, dict)
    assert (own["hostname"], own["userid"], own["password"], own["virtual_host"]) == (
        "w1",
        "me",
        "me",
        "/",
    )
    assert curl(f"{url}/").json == ["bar", "foo"]

    # An anonymous instance.
    made = curl("-X", "PUT", f"{url}/foo/instances/")
    assert made.status == 201
    name = str(made.members["name"])
    assert uuid.UUID(name)
    assert made.members["is_enabled"] is True
    assert made.members["queues"] == []
    assert (made.members["max_concurrency"], made.members["min_concurrency"]) == (1, 1)
    assert curl("-X", "GET", f"{url}/foo/instances/").json == [name]
    configuration = curl(f"{url}/foo/").members
    assert configuration["instances"] == [name]

    consume_and_queue(branch, name, target)
    scale(branch, name)
    clean_up(branch, name)


def consume_and_queue(branch: Branch, name: str, target: Target) -> None:
    """Declare a queue, consume from it, and queue a URL with every verb."""
    url = branch.url
    declared = curl(
        "-X", "POST", "-d", "exchange=tasks&routing_key=tasks", f"{url}/foo/queues/tasks/"
    )
    assert declared.status == 201
    expected = {"exchange": "tasks", "routing_key": "tasks", "options": None, "name": "tasks"}
    assert expected.items() <= declared.members.items()
    assert declared.members["exchange_type"] is None
    assert curl("-X", "GET", f"{url}/foo/queues/").json == ["tasks"]
    branch.running("foo", name)
    consuming = curl("-X", "PUT", f"{url}/foo/instances/{name}/queues/tasks")
    assert consuming.status == 201
    assert consuming.json == {"ok": "ok"}
    eventually(lambda: "tasks" in consumed_queues(branch, "foo", name), 20)
    ids = {verb: queue_url(branch, verb, target) for verb in VERBS}
    for verb, task_id in ids.items():
        result = branch.ask("GET", f"/foo/query/{task_id}/wait/?timeout=30")
        assert result.status == 200, (verb, result)
        assert result.member("state") == "SUCCESS"
        response = result.member("result")
        assert isinstance(response, dict)
        assert response["status_code"] == 200
        assert response["content"] == ("" if verb == "HEAD" else f"{verb} was here")
        state = branch.ask("GET", f"/foo/query/{task_id}/state/")
        assert state.member("state") == "SUCCESS"
        assert branch.ask("GET", f"/foo/query/{task_id}/result/").member("result") == response
    for verb in VERBS:
        assert target.requests_of(verb) == [expected_request(verb)]


def scale(branch: Branch, name: str) -> None:
    """Change the limits under the reference's spelling of the path, and read statistics."""
    url = branch.url
    assert curl(f"{url}/foo/instance/{name}/stats/").members["pool"]
    scaled = curl("-X", "POST", f"{url}/foo/instance/{name}/autoscale/?max=3&min=2")
    assert scaled.status in {200, 201}
    limits = curl(f"{url}/foo/instance/{name}/autoscale/").members
    assert (limits["max"], limits["min"]) == (3, 2)
    eventually(lambda: len(pool_pids(branch, name)) == 2, 30)


def clean_up(branch: Branch, name: str) -> None:
    """Clean up as the introduction does."""
    url = branch.url
    cancelled = curl("-X", "DELETE", f"{url}/foo/instances/{name}/queues/tasks")
    assert cancelled.status == 200
    eventually(lambda: "tasks" not in consumed_queues(branch, "foo", name), 20)
    assert curl("-X", "DELETE", f"{url}/foo/queues/").status == 400
    assert curl(f"{url}/foo/queues/").json == ["tasks"]
    assert curl("-X", "DELETE", f"{url}/foo/queues/?name=tasks").status == 200
    assert curl(f"{url}/foo/queues/").json == []
    assert branch.worker_processes(name)
    assert curl("-X", "DELETE", f"{url}/instances/{name}/").status == 200
    assert curl(f"{url}/foo/instances/").json == []
    eventually(lambda: not branch.worker_processes(name), 30)


QUERY = "q=%c3%A9+b%2Fc&empty=&a=1&a=2;x"
BODY = b"username=George Costanza\r\ncompany=Vandelay \xff Industries"
WITH_BODY = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}


def expected_request(verb: str) -> Seen:
    if verb in WITH_BODY:
        return Seen(verb, f"/import/{verb}?{QUERY}", BODY, "text/x-import")
    return Seen(verb, f"/import/{verb}?{QUERY}", b"", None)


def queue_url(branch: Branch, verb: str, target: Target) -> str:
    """Queue a URL with a verb of its own; return the task's id."""
    connection = HTTPConnection("127.0.0.1", branch.port, timeout=30)
    path = f"/foo/queue/tasks/{target.url}/import/{verb}?{QUERY}"
    if verb in WITH_BODY:
        connection.request(verb, path, BODY, {"Content-Type": "text/x-import"})
    else:
        connection.request(verb, path)
    response = connection.getresponse()
    assert response.status == 202, (verb, response.status, response.read())
    task_id = response.getheader("X-Cyme-Task")
    connection.close()
    assert task_id is not None
    return task_id


def pool_pids(branch: Branch, name: str) -> list[int]:
    pids = branch.instance("foo", name)["pids"]
    assert isinstance(pids, list)
    return pids[1:]


def test_the_older_introduction_makes_an_instance_of_an_app_that_nobody_created(
    start_branch: StartBranch,
) -> None:
    branch = start_branch()
    made = curl("-X", "PUT", f"{branch.url}/foo/instances/")
    assert made.status == 201
    name = str(made.members["name"])
    assert curl("-X", "GET", f"{branch.url}/foo/instances/").json == [name]
    declare = ("-X", "POST", "-d", "exchange=tasks&routing_key=tasks")
    assert curl(*declare, f"{branch.url}/foo/queues/tasks/").status == 201
    consume = f"{branch.url}/foo/instances/{name}/queues/tasks"
    assert curl("-X", "PUT", consume).json == {"ok": "ok"}
    branch.running("foo", name)
    eventually(lambda: "tasks" in consumed_queues(branch, "foo", name), 20)
    assert curl("-X", "DELETE", consume).status == 200
    assert curl("-X", "DELETE", f"{branch.url}/instances/{name}/").status == 200
    eventually(lambda: not branch.worker_processes(name), 30)
