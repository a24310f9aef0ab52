"""What real workers tell of their tasks, seen from any branch, also when a branch dies."""

from __future__ import annotations

import json
from http.client import HTTPException
from threading import Thread
from typing import Any

import pytest

from tests.system.branches import Branch, free_port
from tests.system.clusters import know_each_other
from tests.system.conftest import StartBranch
from tests.system.target import Target
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LISTENS = "listening to the events of workers"

#: A branch is declared failed within this, in seconds, also where the machine is busy.
FAILED_S = 40.0


class Stream:
    """Follows the events of tasks at a branch."""

    def __init__(self, branch: Branch) -> None:
        self.events: list[dict[str, Any]] = []
        self._connection = branch.connection()
        self._connection.request("GET", "/events/?tasks=1&kind=task.*")
        self._response = self._connection.getresponse()
        assert self._response.status == 200
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._response:
                if line.startswith(b'data: {"id"'):
                    self.events.append(json.loads(line[len("data: ") :]))
        except (OSError, HTTPException, ValueError, AttributeError):
            return  # the branch is gone, or the test is over

    def of(self, uuid: str) -> list[str]:
        """Return what happened to a task."""
        return [each["kind"] for each in self.events if each["data"]["uuid"] == uuid]

    def close(self) -> None:
        self._connection.close()


def queue_url(branch: Branch, url: str) -> str:
    reply = branch.ask("GET", f"/foo/queue/q/{url}")
    assert reply.status == 202, reply.body
    return str(reply.member("uuid"))


def tasks(branch: Branch, query: str = "") -> list[dict[str, Any]]:
    found = branch.get(f"/cluster/tasks/?app=foo{query}")
    assert isinstance(found, list)
    return found


def states(branch: Branch) -> dict[str, str]:
    return {each["uuid"]: each["state"] for each in tasks(branch)}


def totals(branch: Branch) -> tuple[int, int]:
    found = branch.member("/cluster/vitals/", "tasks")
    assert isinstance(found, dict)
    return found["succeeded"], found["failed"]


def test_how_tasks_go_is_seen_on_every_branch_and_after_the_collector_died(
    start_branch: StartBranch, target: Target
) -> None:
    first, second = start_branch(name="branch1"), start_branch(name="branch2")
    know_each_other([first, second])
    first.put("/foo/")
    first.put("/foo/queues/q/")
    first.put("/foo/instances/w1/", branch="branch1", queues="q")
    first.running("foo", "w1")
    eventually(lambda: LISTENS in first.log.read_text())
    stream = Stream(second)
    good = [queue_url(branch, f"{target.url}/ok?token=hush") for branch in (first, second)]
    bad = queue_url(second, f"http://me:hush@127.0.0.1:{free_port()}/nobody?token=hush")
    expected = {**dict.fromkeys(good, "SUCCESS"), bad: "FAILURE"}
    for branch in (first, second):
        eventually(lambda branch=branch: states(branch) == expected)  # type: ignore[misc]
        eventually(lambda branch=branch: totals(branch) == (2, 1))  # type: ignore[misc]

    (failed,) = tasks(second, "&state=failure")
    assert (failed["uuid"], failed["instance"], failed["queue"]) == (bad, "w1", "q")
    assert failed["exception"].startswith("WebhookFailed(")
    assert failed["url"].endswith("/nobody")
    (seen,) = tasks(second, f"&q={good[0]}")
    assert second.get(f"/cluster/tasks/{good[0]}/") == seen
    assert (seen["name"], seen["worker"]) == ("cyme.tasks.webhook", "w1@branch1")
    assert "hush" not in json.dumps(tasks(first))

    # Who begins to watch is seen by the collector within a second.
    def told() -> bool:
        uuid = queue_url(second, f"{target.url}/again")
        eventually(lambda: states(second).get(uuid) == "SUCCESS")
        return set(stream.of(uuid)) >= {"task.received", "task.started", "task.succeeded"}

    eventually(told)
    assert "hush" not in json.dumps(stream.events)
    stream.close()

    first.kill()
    before = second.log.read_text().count(LISTENS)
    eventually(lambda: second.log.read_text().count(LISTENS) > before, FAILED_S)
    uuid = queue_url(second, f"{target.url}/after")
    eventually(lambda: states(second).get(uuid) == "SUCCESS")
