from __future__ import annotations

import pytest
from falcon import testing

from tests.waiting import eventually

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(autouse=True)
def app(client: testing.TestClient) -> None:
    client.simulate_put("/foo/")


def test_declares_a_queue_as_the_reference_prints_it(client: testing.TestClient) -> None:
    body = "exchange=tasks&routing_key=tasks"
    reply = client.simulate_post("/foo/queues/tasks/", body=body, headers=FORM)
    assert reply.status_code == 201
    assert reply.json == {
        "name": "tasks",
        "exchange": "tasks",
        "exchange_type": None,
        "routing_key": "tasks",
        "options": None,
    }
    assert reply.headers["location"] == "/foo/queues/tasks/"
    assert client.simulate_get("/foo/queues/").json == ["tasks"]
    shown = client.simulate_get("/foo/queues/tasks")
    assert shown.json == reply.json
    known = {"If-None-Match": shown.headers["etag"]}
    assert client.simulate_get("/foo/queues/tasks", headers=known).status_code == 304


def test_options_come_as_text_and_are_shown_as_an_object(client: testing.TestClient) -> None:
    parameters = {"options": '{"durable": false}', "exchange_type": "topic"}
    reply = client.simulate_put("/foo/queues/q/", params=parameters)
    assert reply.json["options"] == {"durable": False}
    assert reply.json["exchange_type"] == "topic"
    reply = client.simulate_put("/foo/queues/q/", json={"options": None})
    assert (reply.json["options"], reply.json["exchange_type"]) == (None, "topic")


def test_declares_by_the_name_in_the_parameters(client: testing.TestClient) -> None:
    assert client.simulate_post("/foo/queues/?name=q").json["name"] == "q"
    assert client.simulate_post("/foo/queues/").status_code == 400


def test_delete_without_a_name_deletes_nothing_and_prints_the_call(
    client: testing.TestClient,
) -> None:
    client.simulate_put("/foo/queues/tasks/")
    reply = client.simulate_delete("/foo/queues/")
    assert reply.status_code == 400
    assert "DELETE /foo/queues/?name=" in reply.json["detail"]
    assert client.simulate_get("/foo/queues/").json == ["tasks"]
    assert client.simulate_delete("/foo/queues/?name=tasks").json == {"ok": "ok"}
    assert client.simulate_get("/foo/queues/").json == []


def test_deletes_a_consumed_queue_only_by_force(client: testing.TestClient) -> None:
    client.simulate_put("/foo/queues/q/")
    client.simulate_put("/foo/instances/i1/?queues=q")
    reply = client.simulate_delete("/foo/queues/q/")
    assert reply.status_code == 409
    assert "i1" in reply.json["detail"]
    assert client.simulate_delete("/foo/queues/q/?force=true").json == {"ok": "ok"}
    assert client.simulate_get("/foo/instances/i1/queues/").json == []


def test_declares_and_deletes_later(client: testing.TestClient) -> None:
    reply = client.simulate_put("/foo/queues/!/q/")
    assert (reply.status_code, reply.json) == (202, {"name": "q", "app": "foo"})
    eventually(lambda: client.simulate_get("/foo/queues/").json == ["q"])
    assert client.simulate_delete("/foo/queues/!/q/").status_code == 202
    eventually(lambda: client.simulate_get("/foo/queues/").json == [])
    assert client.simulate_get("/foo/queues/!/q/").status_code == 501


def test_a_queue_needs_its_app(client: testing.TestClient) -> None:
    assert client.simulate_put("/bar/queues/q/").status_code == 404
    assert client.simulate_get("/bar/queues/").status_code == 404
    assert client.simulate_get("/foo/queues/q/").status_code == 404
