"""The models and sections, with the branch's own API behind them."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime

import pytest

from cyme.client import (
    Client,
    Conflict,
    Forbidden,
    Info,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    Timeout,
    plain,
)
from cyme.testing.clock import WALL_S
from tests.api.branch import FakeBranch
from tests.client.cluster import VIEWER_TOKEN, Meddling, transport
from tests.waiting import eventually


def test_an_app_is_created_read_and_deleted(client: Client) -> None:
    app = client.add("foo", "amqp://me:pw@host:5673/vhost", pool="solo")
    assert (app.app, app.name, repr(app), str(app)) == ("foo", "foo", "<App: foo>", "foo")
    assert (app.info.broker.hostname, app.info.broker.port, app.pool) == ("host", 5673, "solo")
    assert app.created_at == datetime.fromtimestamp(WALL_S, UTC)
    assert (client.all(), client.keys(), list(client), len(client)) == (
        ["foo"],
        ["foo"],
        ["foo"],
        1,
    )
    assert "foo" in client
    assert app in client
    assert "bar" not in client
    assert client["foo"] == client.get("foo") == app
    assert hash(client["foo"]) == hash(app)
    client.add("bar")
    client.add("baz")
    del client["bar"]
    client.delete("baz")
    app.delete()
    assert client.all() == []
    assert client
    with pytest.raises(KeyError):
        client["foo"]
    with pytest.raises(NotFound, match="no app named 'foo'"):
        client.delete("foo")


def test_an_app_is_changed_where_it_is_as_it_was_read(client: Client) -> None:
    app = client.add("foo", max_concurrency=3)
    assert app.update(max_concurrency=4, if_match=app.etag).max_concurrency == 4
    stale = client["foo"].etag
    app.update(max_concurrency=None)
    assert app.max_concurrency is None
    with pytest.raises(PreconditionFailed):
        app.update(max_concurrency=5, if_match=stale)
    with pytest.raises(PreconditionFailed):
        client.add("foo", must_be_new=True)
    with pytest.raises(PreconditionFailed):
        app.delete(if_match=stale)
    with pytest.raises(InvalidRequest) as caught:
        app.update(pool="wild", workdir="relative")
    assert [fault.parameter for fault in caught.value.faults] == ["pool", "workdir"]


def test_instances_are_a_section_of_their_app(client: Client, way: Meddling) -> None:
    app = client.add("foo", "redis://host/1")
    first = app.instances.add("w1", config="task_time_limit=9", max_concurrency=2)
    second = app.instances.add(pool="solo")
    assert (first.name, first.app, first.broker and first.broker.url) == (
        "w1",
        "foo",
        "redis://host/1",
    )
    assert (first.extra_config, first.max_concurrency, first.min_concurrency) == (
        "task_time_limit=9",
        2,
        1,
    )
    assert (first.branch, first.state, first.pids, first.is_enabled) == (
        "branch1",
        "pending",
        (),
        True,
    )
    names = sorted(["w1", second.name])
    assert app.instances.all_names() == app.instances.keys() == list(app.instances) == names
    way.asked.clear()
    assert sorted(each.name for each in app.instances.all()) == names
    assert {each.name for each in client.instances.all()} == set(names)
    assert way.asked == ["GET /foo/instances/", "GET /instances/"]
    assert dict(app.instances.items())["w1"] == first
    assert first in app.instances
    assert app not in app.instances
    assert client.instances["w1"].app == "foo"
    assert client.get("foo").instance_names == tuple(names)
    del app.instances["w1"]
    client.instances.delete(second.name)
    assert len(app.instances) == 0
    with pytest.raises(KeyError, match="w1"):
        app.instances["w1"]


def test_queues_are_declared_with_options(client: Client) -> None:
    app = client.add("foo")
    queue = app.queues.add("q", "ex", "topic", "a.#", durable=False, queue_arguments={"x": 1})
    assert (queue.exchange, queue.exchange_type, queue.routing_key) == ("ex", "topic", "a.#")
    assert queue.options == {"durable": False, "queue_arguments": {"x": 1}}
    assert (queue.app, repr(queue)) == ("foo", "<Queue: q>")
    plain_one = app.queues.add("p")
    assert (plain_one.exchange, plain_one.options) == (None, None)
    assert queue.update(routing_key=None).routing_key is None
    assert [each.name for each in app.queues.all()] == ["p", "q"]
    assert [(each.app, each.name) for each in client.all_queues()] == [("foo", "p"), ("foo", "q")]
    assert app.queues.add("r", options={"durable": True}).options == {"durable": True}
    queue.delete()
    app.queues.delete(plain_one)
    assert list(app.queues) == ["r"]


def test_a_worker_consumes_from_queues_by_model_or_name(client: Client) -> None:
    app = client.add("foo")
    a, b = app.queues.add("a"), app.queues.add("b", routing_key="k")
    worker = app.instances.add("w1", queues=[a])
    assert (worker.queue_names, worker.queues) == (("a",), [a])
    worker.consumers.add(b)
    assert list(worker.consumers) == ["a", "b"]
    assert worker.consumers.all()[1].routing_key == "k"
    assert worker.consumers["b"] == b
    assert b in worker.consumers
    assert len(worker.consumers) == 2
    worker.consumers.delete("a")
    del worker.consumers["b"]
    assert worker.consumers.keys() == []
    assert worker.refresh().queues == []
    assert (repr(worker.consumers), bool(worker.consumers)) == ("<Consumers: w1>", True)
    with pytest.raises(NotFound):
        worker.consumers.add("c")
    with pytest.raises(KeyError):
        worker.consumers["a"]


def test_nowait_goes_through_the_form_with_an_exclamation_mark(
    client: Client, way: Meddling
) -> None:
    app = client.add("foo", nowait=True)
    assert app.name == "foo"
    eventually(lambda: "foo" in client)
    queue = app.queues.add("q", nowait=True, routing_key="k")
    eventually(lambda: "q" in app.queues)
    assert queue.routing_key == "k"
    worker = app.instances.add("w1", nowait=True)
    eventually(lambda: "w1" in app.instances)
    assert (worker.app, worker.pool) == ("foo", "prefork")
    worker.consumers.add(queue, nowait=True)
    eventually(lambda: list(worker.consumers) == ["q"])
    assert worker.autoscale(max=5, nowait=True) == Info({"max": 5})
    eventually(lambda: worker.autoscale().max == 5)
    worker.consumers.delete("q", nowait=True)
    eventually(lambda: not list(worker.consumers))
    worker.delete(nowait=True)
    eventually(lambda: not list(app.instances))
    app.queues.delete("q", nowait=True)
    eventually(lambda: not list(app.queues))
    client.delete("foo", nowait=True)
    eventually(lambda: not list(client))
    assert [asked for asked in way.asked if "!" in asked] == [
        "PUT /!/foo/",
        "PUT /foo/queues/!/q/",
        "PUT /foo/instances/!/w1/",
        "PUT /foo/instances/w1/queues/!/q/",
        "PUT /foo/instances/!/w1/autoscale/",
        "DELETE /foo/instances/w1/queues/!/q/",
        "DELETE /foo/instances/!/w1/",
        "DELETE /foo/queues/!/q/",
        "DELETE /!/foo/",
    ]
    unnamed = client.add("bar").instances.add(nowait=True)
    eventually(lambda: unnamed.name in client.instances)


def test_a_worker_is_started_stopped_scaled_and_restarted(
    client: Client, branch: FakeBranch
) -> None:
    worker = client.add("foo").instances.add("w1")
    assert worker.stop().is_enabled is False
    assert worker.start().is_enabled is True
    assert (worker.scale(3).max, worker.autoscale().min) == (3, 3)
    assert worker.autoscale(max=5, min=2) == Info({"max": 5, "min": 2})
    worker.restart()
    assert branch.supervisor.restarted == ["w1"]
    assert worker.events()[0].kind == "instance.created"
    with pytest.raises(Conflict):
        worker.move()
    assert worker.move("branch1").branch == "branch1"
    with pytest.raises(Conflict, match="running"):
        worker.stats()


def test_waits_until_a_worker_runs(client: Client, branch: FakeBranch) -> None:
    worker = client.add("foo").instances.add("w1")
    with pytest.raises(Timeout, match=r"not running or stopped after 1.5 s: it is pending \("):
        worker.wait(("stopped", "running"), timeout_s=1.5)
    branch.supervisor.runs("w1", 12, 13)
    assert worker.wait().pids == (12, 13)
    assert worker.since == datetime.fromtimestamp(WALL_S, UTC)
    assert client.get("foo").instances.add("w2", wait_s=1).name == "w2"
    assert branch.supervisor.waited == ["w2"]


def test_an_app_with_instances_is_deleted_by_force_alone(client: Client) -> None:
    client.add("foo").instances.add("w1")
    with pytest.raises(Conflict):
        client.delete("foo")
    client.delete("foo", force=True)
    assert client.all() == []


def test_what_was_not_read_is_read_when_it_is_asked_for(client: Client, way: Meddling) -> None:
    client.add("foo", pool="solo")
    way.asked.clear()
    app = client.apps.of("foo")
    assert way.asked == []
    assert (app.name, app.pool, app.info.pool) == ("foo", "solo", "solo")
    assert way.asked == ["GET /foo/"]
    nowhere = client.apps.of("bar")
    with pytest.raises(NotFound):
        _ = nowhere.pool


def test_branches_and_the_cluster(client: Client) -> None:
    assert client.branches == ["branch1"]
    branch = client.branch("branch1")
    assert (branch.id, branch.state, branch.url) == ("branch1", "alive", "http://localhost:8000")
    assert client.branch_info("branch1").load == 1.5
    assert client.all_branches() == [branch]
    assert (client.cluster().branch, client.cluster().name) == ("branch1", "test")
    assert client.rebalance(dry_run=True) == []
    branch.drain()
    assert branch.refresh().drained
    branch.undrain()
    assert not branch.refresh().drained
    with pytest.raises(TypeError, match="drain"):
        branch.delete()
    with pytest.raises(KeyError):
        client.branch("nowhere")
    assert client.ping()
    assert client.openapi().openapi.startswith("3.")


def test_vitals_and_events(client: Client) -> None:
    client.add("foo")
    assert "tasks" in client.vitals()
    assert [event.kind for event in client.events(app="foo")] == ["app.created"]


def test_a_viewer_may_read_and_is_refused_the_rest(branch: FakeBranch, client: Client) -> None:
    client.add("foo", "redis://:pw@host/1")
    viewer = Client(transport=transport(branch, VIEWER_TOKEN))
    assert viewer["foo"].info.broker.password == "********"
    with pytest.raises(Forbidden):
        viewer.add("bar")


def test_an_info_is_a_mapping_with_attributes() -> None:
    info = Info({"a": {"b": [{"c": 1}]}, "password": "s3cret"})
    assert (info.a.b[0].c, info["a"]["b"][0]["c"], len(info), "a" in info) == (1, 1, 2, True)
    assert plain(info) == {"a": {"b": [{"c": 1}]}, "password": "s3cret"}
    assert json.dumps(plain(info))
    assert info == {"a": {"b": [{"c": 1}]}, "password": "s3cret"}
    assert "s3cret" not in repr(info)
    assert "password" in dir(info)
    assert pickle.loads(pickle.dumps(info)) == info
    with pytest.raises(AttributeError, match="there are a, password"):
        _ = info.nothing
