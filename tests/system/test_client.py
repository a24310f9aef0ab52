"""The client as a program uses it, against real branches with a real worker; then without them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest

from cyme import Client
from cyme.client import (
    Conflict,
    ConnectionFailed,
    Event,
    Instance,
    NotFound,
    NotSupported,
    TaskPending,
    Unavailable,
    fleet,
)
from cyme.programs.offline import open_directory
from tests.system.branches import Branch, clean_environment
from tests.system.clusters import know_each_other
from tests.system.conftest import StartBranch
from tests.system.target import Target
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DEADLINE_S = 60.0


@pytest.fixture
def pair(start_branch: StartBranch, redis_url: str) -> list[Branch]:
    """Two branches that know each other."""
    branches = [start_branch("--broker", redis_url, name=name) for name in ("branch1", "branch2")]
    know_each_other(branches)
    return branches


def client_of(branches: list[Branch]) -> Client:
    tokens = {branch.url: branch.admin_token for branch in branches}
    first, *others = tokens
    return Client(first, urls=others, token=tokens)


def test_a_program_manages_a_cluster(pair: list[Branch], target: Target, redis_url: str) -> None:
    with client_of(pair) as client:
        stream = client.stream(app="shop", timeout_s=3 * DEADLINE_S).connect()
        seen: list[Event] = []
        listener = threading.Thread(target=lambda: seen.extend(stream), daemon=True)
        listener.start()
        worker = a_worker_runs(client)
        a_worker_does_its_work(client, worker, target)
        a_worker_tells_of_itself(client, worker)
        the_cluster_is_seen(client)
        nothing_waits_where_it_need_not(client)
        a_fleet_goes_there_and_back(client, redis_url)
        one_branch_dies_and_the_client_goes_on(client, pair, worker)
        eventually(lambda: "app.deleted" in {event.kind for event in seen}, DEADLINE_S)
        stream.close()
        listener.join(DEADLINE_S)
        kinds = [event.kind for event in seen]
        assert {"instance.created", "instance.started", "instance.deleted"} <= set(kinds), kinds
        assert kinds.index("app.created") < kinds.index("instance.started")
        assert kinds.count("app.deleted") == 1, kinds


def a_worker_runs(client: Client) -> Instance:
    app = client.add("shop")
    queue = app.queues.add("orders", "orders", routing_key="orders")
    worker = app.instances.add("w1", queues=[queue], wait_s=30, branch="branch2")
    assert worker.wait(timeout_s=DEADLINE_S).pids
    assert (worker.branch, worker.queues, worker.queues[0].exchange) == (
        "branch2",
        [queue],
        "orders",
    )
    assert [each.name for each in client.instances.all()] == ["w1"]
    assert [each.name for each in client.all_queues()] == ["orders"]
    return worker


def a_worker_does_its_work(client: Client, worker: Instance, target: Target) -> None:
    app = client["shop"]
    task = app.queue_url("orders", f"{target.url}/a?b=c%20d", method="POST", body="x=1")
    result = task.wait(DEADLINE_S)
    assert result.has_succeeded, result
    assert (result.value["status_code"], result.content) == (200, b"POST was here")
    assert target.seen[0].target == "/a?b=c%20d"
    assert (task.state(), app.task(task.uuid).result()) == ("SUCCESS", result)
    late = app.queues["orders"].send(f"{target.url}/late", countdown_s=600)
    with pytest.raises(TaskPending):
        late.wait(0.2)
    mails = app.queues.add("mails")
    worker.consumers.add(mails)
    assert list(worker.consumers) == ["mails", "orders"]
    worker.consumers.delete("mails")
    idle = app.queues.add("idle")
    for number in range(3):
        idle.send(f"{target.url}/{number}")
    eventually(lambda: idle.stats().depth == 3, DEADLINE_S)
    assert idle.purge() == 3
    assert idle.stats().depth == 0


def a_worker_tells_of_itself(client: Client, worker: Instance) -> None:
    assert worker.autoscale(max=3, min=2) == {"max": 3, "min": 2}
    assert worker.autoscale().max == 3
    assert worker.stats().pool
    assert "instance.created" in {event.kind for event in worker.events()}
    assert "ready." in worker.log(200)
    with worker.follow_log(1000) as log:
        line = log.next_line(DEADLINE_S)
        while line is not None and "ready." not in line:
            line = log.next_line(DEADLINE_S)
    assert line is not None
    before = worker.refresh().pids[0]
    worker.restart()
    eventually(lambda: worker.refresh().state == "running" and worker.pids[0] != before, DEADLINE_S)
    worker.stop().wait("stopped", timeout_s=DEADLINE_S)
    assert worker.start().wait(timeout_s=DEADLINE_S).is_enabled


def the_cluster_is_seen(client: Client) -> None:
    assert client.branches == ["branch1", "branch2"]
    assert [each.instances for each in client.all_branches()] == [0, 1]
    assert client.cluster().branch == "branch1"
    assert client.branch_info("branch2").state == "alive"
    assert client.rebalance(dry_run=True) == []
    assert "w1" in client.vitals().instances
    (sighted, *_) = eventually(lambda: client.tasks(app="shop", limit=5), DEADLINE_S)
    assert client.task(sighted.uuid).uuid == sighted.uuid
    with client.live(timeout_s=DEADLINE_S) as live:
        assert next(live).kind == "hello"
    made = client.tokens("branch2").add("vera", "viewer")
    assert (made.role, made.token in repr(made)) == ("viewer", False)
    assert "vera" in {token.name for token in client.branch("branch2").tokens.all()}
    client.tokens("branch2").delete("vera")
    assert "cyme" in client.metrics()
    assert client.branch("branch1").drain() == []
    client.branch("branch1").undrain()
    assert "app.created" in {event.kind for event in client.events(app="shop")}


def nothing_waits_where_it_need_not(client: Client) -> None:
    app = client.add("later", nowait=True)
    eventually(lambda: "later" in client)
    worker = app.instances.add("w9", nowait=True, is_enabled=False)
    eventually(lambda: "w9" in app.instances)
    assert worker.refresh().is_enabled is False
    unnamed = app.instances.add(nowait=True, is_enabled=False)
    eventually(lambda: unnamed.name in app.instances)
    unnamed.delete(nowait=True)
    worker.delete(nowait=True)
    eventually(lambda: not list(app.instances))
    app.delete(nowait=True)
    eventually(lambda: "later" not in client)


def a_fleet_goes_there_and_back(client: Client, redis_url: str) -> None:
    text = f"""
    [apps.fleet]
    broker = "{redis_url}"
    env = {{ API_KEY = "$KEY" }}
    [apps.fleet.queues.q]
    routing_key = "q.#"
    [apps.fleet.instances.f1]
    is_enabled = false
    queues = ["q"]
    """
    wanted = fleet.parse(text, environ={"KEY": "s3cret"})
    planned = fleet.plan(fleet.observe(client), wanted)
    assert planned.count(fleet.Action.CREATE) == 3
    assert "s3cret" not in planned.text()
    assert fleet.apply(client, planned).is_complete
    assert not fleet.plan(fleet.observe(client), wanted)
    exported = fleet.export(client, ["fleet"])
    variables = {name: value or "" for name, value in exported.variables.items()}
    again = fleet.parse(exported.text, environ=variables)
    assert not fleet.plan(fleet.observe(client), again)
    client.delete("fleet", force=True)


def one_branch_dies_and_the_client_goes_on(
    client: Client, pair: list[Branch], worker: Instance
) -> None:
    first, second = pair
    assert client.url == first.url
    eventually(lambda: Client(second.url).all() == ["shop"])
    first.kill()
    assert client.all() == ["shop"]
    assert client.url == second.url
    assert worker.refresh().state == "running"
    with pytest.raises(Conflict):
        client.delete("shop")
    worker.delete()
    with pytest.raises(NotFound):
        worker.refresh()
    client.delete("shop", force=True)
    with pytest.raises(ConnectionFailed):
        Client(first.url, retries=0).all()


def test_a_directory_is_worked_on_whatever_its_branch_does(
    start_branch: StartBranch, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = start_branch("--broker", redis_url)
    monkeypatch.setenv("CYME_STATE_DIR", str(branch.directory.parent / "state"))
    monkeypatch.setenv("CYME_BROKER", redis_url)
    with open_directory(branch.directory) as client:
        assert client.url == branch.url
        client.add("foo").instances.add("w1", is_enabled=False)
    assert listed(branch) == ["branch1"]

    branch.stop()
    with open_directory(branch.directory) as client:
        assert "directory" in client.url
        foo = client["foo"]
        assert foo.instances["w1"].state == "stopped"
        foo.update(max_concurrency=5)
        foo.queues.add("q", routing_key="k")
        foo.instances["w1"].consumers.add("q")
        foo.instances.add("w2", is_enabled=False, workdir="/tmp")
        for refused in (foo.instances["w1"].restart, foo.instances["w1"].stats):
            with pytest.raises((Unavailable, Conflict)):
                refused()
        with pytest.raises(Unavailable):
            foo.queue_url("q", "http://host/")

    branch.arguments = (*branch.arguments, "--without-http")
    branch.launch()
    eventually(lambda: "is ready" in branch.log.read_text().rpartition("stops")[2], 30)
    with open_directory(branch.directory) as client:
        assert client["foo"].max_concurrency == 5
        assert client["foo"].instances.all_names() == ["w1", "w2"]
        with pytest.raises(NotSupported, match="serves no HTTP"):
            client.add("bar")
    branch.stop()

    branch.arguments = branch.arguments[:-1]
    branch.start()
    client = Client(branch.url)
    assert client["foo"].max_concurrency == 5
    assert client["foo"].instances["w1"].queue_names == ("q",)
    assert client.instances["w2"].workdir == "/tmp"


def listed(branch: Branch) -> object:
    """Return what cyme-list-branches prints on the branch's machine."""
    home = branch.directory.parent
    environment = {**clean_environment(home), "CYME_STATE_DIR": str(home / "state")}
    done = subprocess.run(
        [sys.executable, "-m", "cyme.programs.list_branches", "--limit", "5"],
        capture_output=True, text=True, check=True, env=environment, timeout=30,
    )  # fmt: skip
    return json.loads(done.stdout)
