from __future__ import annotations

import pytest

from cyme.core.branches import BranchState
from cyme.core.task_events import TaskDeed, TaskEvent
from cyme.testing import WALL_S
from tests.api.branch import VIEWER, FakeBranch


@pytest.fixture(autouse=True)
def _collecting(branch: FakeBranch) -> None:
    """Let workers tell of three tasks."""
    branch.client.simulate_put("/foo/instances/w1/?branch=branch1")
    branch.service.telemetry.collecting.judge()
    broker = branch.service.app("foo").spec.broker
    assert broker is not None
    for number, deed in enumerate([TaskDeed.SUCCEEDED, TaskDeed.FAILED, TaskDeed.STARTED]):
        events = [
            TaskEvent(TaskDeed.SENT, f"u{number}", "cyme@branch1", WALL_S, queue="q", app="foo"),
            TaskEvent(TaskDeed.RECEIVED, f"u{number}", "w1@branch1", WALL_S + 1, name="add"),
            TaskEvent(deed, f"u{number}", "w1@branch1", WALL_S + 2 + number, runtime_s=0.5),
        ]
        branch.listeners.tell(broker, *events)


def listed(branch: FakeBranch, query: str = "") -> list[str]:
    reply = branch.client.simulate_get(f"/cluster/tasks/{query}")
    assert reply.status_code == 200, reply.text
    return [each["uuid"] for each in reply.json]


def test_the_tasks_that_were_seen_lately_are_listed_the_newest_first(branch: FakeBranch) -> None:
    assert listed(branch) == ["u2", "u1", "u0"]
    assert listed(branch, "?limit=2") == ["u2", "u1"]


@pytest.mark.parametrize(
    ("query", "uuids"),
    [
        ("?app=foo,bar", ["u2", "u1", "u0"]),
        ("?app=bar", []),
        ("?queue=q&instance=w1", ["u2", "u1", "u0"]),
        ("?queue=r", []),
        ("?state=FAILURE,started", ["u2", "u1"]),
        ("?state=succeeded", ["u0"]),
        ("?q=U1", ["u1"]),
        ("?q=add&state=success&app=foo", ["u0"]),
    ],
)
def test_they_may_be_chosen(branch: FakeBranch, query: str, uuids: list[str]) -> None:
    assert listed(branch, query) == uuids


@pytest.mark.parametrize(
    ("query", "parameter"), [("?state=done", "state"), ("?limit=0", "limit"), ("?what=x", "what")]
)
def test_what_cannot_be_chosen_by_is_refused(
    branch: FakeBranch, query: str, parameter: str
) -> None:
    reply = branch.client.simulate_get(f"/cluster/tasks/{query}")
    assert reply.status_code == 400
    assert parameter in reply.text


def test_a_task_shows_all_that_its_events_tell(branch: FakeBranch) -> None:
    reply = branch.closed.simulate_get("/cluster/tasks/u0/", headers=VIEWER)
    assert reply.json == {
        "uuid": "u0",
        "name": "add",
        "app": "foo",
        "instance": "w1",
        "queue": "q",
        "state": "SUCCESS",
        "at": "2011-08-15T22:06:45Z",
        "runtime_s": 0.5,
        "exception": None,
        "url": None,
        "worker": "w1@branch1",
        "retries": 0,
        "sent_at": "2011-08-15T22:06:43Z",
        "received_at": "2011-08-15T22:06:44Z",
        "started_at": None,
        "ended_at": "2011-08-15T22:06:45Z",
    }
    assert branch.closed.simulate_get("/cluster/tasks/u0/").status_code == 401


def test_a_task_that_nobody_saw_is_not_there(branch: FakeBranch) -> None:
    reply = branch.client.simulate_get("/cluster/tasks/what/")
    assert reply.status_code == 404
    assert "/<app>/query/<uuid>/result/" in reply.json["detail"]


def test_a_collector_that_is_away_leaves_an_empty_list(branch: FakeBranch) -> None:
    branch.members.change("branch1", state=BranchState.LEFT)
    assert listed(branch) == []
