"""The cluster over HTTP: who is there, what moves, and what other branches own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from cyme.core.branches import BranchState, BranchVitals
from cyme.core.model import AppName, BranchId, Instance, InstanceName, Stamp, WorkerSpec
from cyme.core.status import InstanceState, InstanceStatus
from cyme.errors import OwnerUnreachable, WorkerStartFailed
from cyme.runtime.service import Written
from cyme.testing import WALL_S
from tests.api.branch import OPERATOR, VIEWER, FakeBranch
from tests.waiting import eventually

VITALS = BranchVitals(load=3.00049, hub_lag_s=0.4999999, instances=7, as_of=WALL_S)


@pytest.fixture(autouse=True)
def _neighbour(branch: FakeBranch) -> None:
    """Let there be a branch2, of another zone."""
    branch.members.change(
        "branch2",
        instances_max=50,
        url="http://h2:8000",
        address="tcp://h2:7000",
        labels=(("zone", "b"),),
        boot=4,
        incarnation=2,
        since=WALL_S,
        heard_s=2.70049,
    )


def answers(branch: FakeBranch, **answers: object) -> None:
    """Say what branch2 answers to calls by name; an error is raised."""

    def answer(_branch: str, call: str, _arguments: Mapping[str, object]) -> object:
        value = answers[call]
        if isinstance(value, Exception):
            raise value
        return value

    branch.members.answer = answer


# --- branches ------------------------------------------------------------------------------------


def test_branches_are_listed_by_their_ids(branch: FakeBranch) -> None:
    assert branch.client.simulate_get("/branches/").json == ["branch1", "branch2"]


def test_a_branch_tells_all_about_itself(branch: FakeBranch) -> None:
    branch.client.simulate_put("/foo/instances/i1/?branch=branch1")
    reply = branch.client.simulate_get("/branches/branch1/")
    assert reply.json == {
        "id": "branch1",
        "state": "alive",
        "url": "http://localhost:8000",
        "address": None,
        "port": 8000,
        "loglevel": "INFO",
        "logfile": None,
        "numc": 2,
        "sup_interval": 60.0,
        "version": "1.0",
        "labels": {},
        "drained": False,
        "capacity": 1000,
        "instances": 1,
        "load": 1.5,
        "hub_lag_s": 0.25,
        "boot": 1,
        "incarnation": 0,
        "since": "1970-01-01T00:00:00Z",
        "heard_s": 0.0,
        "accused_by": None,
    }
    assert "age" not in reply.headers


def test_another_branch_is_asked_how_it_does(branch: FakeBranch) -> None:
    answers(branch, vitals_here=VITALS)
    reply = branch.client.simulate_get("/branches/branch2/")
    shown = reply.json
    assert (shown["load"], shown["hub_lag_s"], shown["instances"]) == (3.0, 0.5, 7)
    assert (shown["labels"], shown["capacity"]) == ({"zone": "b"}, 50)
    assert (shown["boot"], shown["incarnation"], shown["heard_s"]) == (4, 2, 2.7)
    assert shown["address"] == "tcp://h2:7000"
    assert reply.headers["age"] == "2"


def test_a_branch_that_does_not_answer_is_shown_as_it_is_known(branch: FakeBranch) -> None:
    branch.client.simulate_put("/foo/instances/i1/?branch=branch1")
    branch.give_away("i1")
    answers(branch, vitals_here=OwnerUnreachable("It does not answer."))
    shown = branch.client.simulate_get("/branches/branch2/").json
    assert (shown["load"], shown["hub_lag_s"], shown["instances"]) == (None, None, 1)
    branch.members.change("branch2", state=BranchState.FAILED, accused_by=BranchId("branch1"))
    branch.members.forwarded.clear()
    shown = branch.client.simulate_get("/branches/branch2").json
    assert (shown["state"], shown["accused_by"], shown["load"]) == ("failed", "branch1", None)
    assert branch.members.forwarded == [], "it is known not to be there"


def test_the_cluster_is_shown_as_this_branch_sees_it(branch: FakeBranch) -> None:
    branch.client.simulate_put("/foo/instances/i1/?branch=branch1")
    for path in ("/cluster/", "/cluster"):
        shown = branch.client.simulate_get(path).json
        members = shown.pop("branches")
        assert shown == {
            "name": "test",
            "branch": "branch1",
            "digest": "0123456789abcdef",
            "fenced": False,
        }
        assert [member["id"] for member in members] == ["branch1", "branch2"]
        assert [member["instances"] for member in members] == [1, 0]
        assert set(members[1]) == {
            "id", "state", "incarnation", "boot", "since", "heard_s", "accused_by", "instances",
            "epochs", "url",
        }  # fmt: skip
    assert branch.client.simulate_head("/cluster/").status_code == 200


def test_no_app_takes_the_clusters_place(branch: FakeBranch) -> None:
    assert branch.client.simulate_put("/cluster/").status_code == 405
    assert branch.client.simulate_put("/cluster/instances/").status_code == 400


# --- moving --------------------------------------------------------------------------------------


def _here(branch: FakeBranch) -> None:
    branch.client.simulate_put("/foo/instances/i1/?branch=branch1")


@pytest.mark.parametrize("verb", ["POST", "PUT"])
@pytest.mark.parametrize("path", ["/foo/instances/i1/move/", "/foo/instance/i1/move"])
def test_an_instance_moves(branch: FakeBranch, verb: str, path: str) -> None:
    _here(branch)

    def take(_branch: str, _call: str, arguments: Mapping[str, object]) -> object:
        record = arguments["instance"]
        assert isinstance(record, Instance)
        there = BranchId("branch2")
        return replace(record, home=there, owner=there, epoch=record.epoch + 1)

    branch.members.answer = take
    running = InstanceStatus(state=InstanceState.RUNNING, reason="it answers", pids=(7,))
    branch.members.statuses["i1"] = (running, 0.4)
    reply = branch.client.simulate_request(verb, path, params={"branch": "branch2"})
    assert (reply.status_code, reply.json["branch"]) == (200, "branch2"), reply.text
    assert (reply.json["state"], reply.headers["age"]) == ("running", "0")
    assert reply.headers["etag"] == '"2.1"'
    assert branch.service.instance("i1").owner == "branch2"


def test_a_move_may_go_on_in_the_background(branch: FakeBranch) -> None:
    _here(branch)
    answers(branch, take_here=WorkerStartFailed("There is no such interpreter."))
    for path, headers in (
        ("/foo/instances/!/i1/move/?branch=branch2", {}),
        ("/foo/instances/i1/move/?branch=branch2", {"Prefer": "respond-async"}),
    ):
        branch.members.forwarded.clear()
        reply = branch.client.simulate_post(path, headers=headers)
        assert (reply.status_code, reply.json) == (202, {"name": "i1", "app": "foo"})
        eventually(lambda: branch.members.forwarded)
    assert branch.client.simulate_post("/foo/instances/!/i9/move/").status_code == 404
    events = branch.client.simulate_get("/foo/instances/i1/events/").json
    assert events[-1]["kind"] == "instance.not-moved"
    assert "no such interpreter" in events[-1]["reason"]


def test_a_move_that_cannot_be_is_a_problem(branch: FakeBranch) -> None:
    _here(branch)
    move = "/foo/instances/i1/move/"
    post = branch.client.simulate_post
    assert post(move).status_code == 409, "it is pinned"
    assert post(move + "?branch=branch9").status_code == 404
    assert post(move + "?branch=branch1").json["branch"] == "branch1"
    assert post(move + "?to=branch2").status_code == 400
    branch.members.change("branch2", drained=True)
    assert post(move + "?branch=branch2").status_code == 409
    branch.members.change("branch2", drained=False, instances_max=0)
    assert post(move + "?branch=branch2").status_code == 413
    branch.members.fenced = True
    fenced = post(move + "?branch=branch2")
    assert (fenced.status_code, fenced.headers["retry-after"]) == (503, "5")
    branch.members.fenced = False
    branch.members.change("branch2", instances_max=9)
    answers(branch, take_here=WorkerStartFailed("There is no such interpreter."))
    assert post(move + "?branch=branch2").status_code == 503
    assert branch.client.simulate_get(move).status_code == 405


# --- draining and evening out --------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["POST", "PUT"])
def test_a_branch_is_drained_and_undrained(branch: FakeBranch, verb: str) -> None:
    _here(branch)
    request = branch.client.simulate_request
    drained = request(verb, "/branches/branch1/drain/")
    assert drained.status_code == 202
    assert drained.json == [
        {
            "instance": "i1",
            "source": "branch1",
            "target": None,
            "reason": "it is pinned to branch 'branch1'",
        }
    ]
    assert branch.client.simulate_get("/branches/branch1/").json["drained"] is True
    assert branch.client.simulate_put("/foo/instances/i2/?branch=branch1").status_code == 409
    assert request(verb, "/branches/branch1/undrain").json == {"ok": "ok"}
    assert branch.client.simulate_get("/branches/branch1/").json["drained"] is False
    assert request(verb, "/branches/branch9/drain/").status_code == 404
    branch.members.change("branch2", state=BranchState.LEFT)
    assert request(verb, "/branches/branch2/drain/").status_code == 503


@pytest.mark.parametrize("verb", ["POST", "PUT"])
def test_the_cluster_is_rebalanced(branch: FakeBranch, verb: str) -> None:
    branch.members.change("branch1", instances_max=50)
    branch.members.change("branch2", state=BranchState.FAILED)
    for number in range(4):
        assert branch.client.simulate_put(f"/foo/instances/i{number}/").status_code == 201
    branch.members.change("branch2", state=BranchState.ALIVE)
    request = branch.client.simulate_request
    dry = request(verb, "/cluster/rebalance/?dry_run=true")
    assert dry.status_code == 200
    assert {(move["source"], move["target"]) for move in dry.json} == {("branch1", "branch2")}
    assert branch.members.forwarded == []
    answers(branch, take_here=WorkerStartFailed("no"))
    wet = request(verb, "/cluster/rebalance", json={"dry_run": False})
    assert (wet.status_code, wet.json) == (202, dry.json)
    eventually(lambda: len(branch.members.forwarded) == len(dry.json))
    assert request(verb, "/cluster/rebalance/?dry_run=perhaps").status_code == 400


def test_a_viewer_changes_nothing_of_the_cluster(branch: FakeBranch) -> None:
    branch.closed.simulate_put("/foo/instances/i1/", headers=OPERATOR)
    for path in ("/cluster/", "/branches/", "/branches/branch1/"):
        assert branch.closed.simulate_get(path, headers=VIEWER).status_code == 200
    for path in (
        "/cluster/rebalance/?dry_run=true",
        "/branches/branch1/drain/",
        "/branches/branch1/undrain/",
        "/foo/instances/i1/move/",
        "/foo/instances/!/i1/move/",
    ):
        assert branch.closed.simulate_post(path, headers=VIEWER).status_code == 403, path


# --- what another branch owns --------------------------------------------------------------------


def test_an_instance_elsewhere_is_shown_with_its_age(branch: FakeBranch) -> None:
    _here(branch)
    here = branch.client.simulate_get("/foo/instances/i1/")
    assert "age" not in here.headers
    assert here.json["as_of"] == here.json["created_at"]
    branch.give_away("i1")
    running = InstanceStatus(state=InstanceState.RUNNING, reason="it answers", pids=(7,))
    branch.members.statuses["i1"] = (running, 3.9)
    for path in ("/foo/instances/i1/", "/instances/i1"):
        reply = branch.client.simulate_get(path)
        assert (reply.status_code, reply.headers["age"]) == (200, "3")
        assert (reply.json["branch"], reply.json["state"]) == ("branch2", "running")
        assert reply.json["as_of"] < here.json["as_of"]
        assert branch.client.simulate_head(path).headers["age"] == "3"


def test_what_cannot_be_asked_of_an_owner_is_to_be_tried_later(branch: FakeBranch) -> None:
    _here(branch)
    branch.give_away("i1")
    branch.members.change("branch2", state=BranchState.FAILED)
    request = branch.client.simulate_request
    for verb, path in [
        ("PUT", "/foo/instances/i1/?max_concurrency=2"),
        ("DELETE", "/foo/instances/i1/"),
        ("POST", "/foo/instances/i1/restart/"),
        ("POST", "/foo/instances/i1/autoscale/?max=3"),
        ("POST", "/foo/instances/i1/move/?branch=branch1"),
        ("GET", "/foo/instances/i1/stats/"),
        ("GET", "/foo/instances/i1/events/"),
        ("DELETE", "/foo/?force=true"),
    ]:
        reply = request(verb, path)
        assert reply.status_code == 503, path
        assert reply.json["type"] == "urn:cyme:problem:owner-unreachable"
        assert reply.headers["retry-after"] == "15"
    assert branch.client.simulate_get("/foo/instances/i1/").status_code == 200
    assert branch.client.simulate_get("/foo/").json["instances"] == ["i1"]


def test_what_is_created_elsewhere_is_answered_as_if_it_were_here(branch: FakeBranch) -> None:
    there = BranchId("branch2")

    def perform(_branch: str, call: str, arguments: Mapping[str, object]) -> object:
        if call == "wait_here":
            return InstanceStatus(state=InstanceState.RUNNING, reason="it answers", pids=(7,))
        record = Instance(
            name=InstanceName(str(arguments["name"])),
            app=AppName("foo"),
            home=there,
            owner=there,
            stamp=Stamp(1, 0, there),
            spec=WorkerSpec(),
        )
        return Written(record, created=True, changed=True)

    branch.members.answer = perform
    reply = branch.client.simulate_put(
        "/foo/instances/i1/?branch=branch2", headers={"Prefer": "wait=5"}
    )
    assert (reply.status_code, reply.headers["location"]) == (201, "/foo/instances/i1/")
    assert (reply.headers["etag"], reply.headers["age"]) == ('"1.1"', "0")
    assert reply.headers["preference-applied"] == "wait=5"
    assert (reply.json["branch"], reply.json["state"]) == ("branch2", "running")
    assert branch.client.simulate_get("/foo/").json["instances"] == ["i1"]
