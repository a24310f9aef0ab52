"""Waiting, until it is so or never will be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cyme.cli.exits import Exit
from cyme.cli.rolling import usual_count
from cyme.core.status import InstanceState, InstanceStatus
from cyme.core.tasks import Outcome, TaskState
from tests.api.branch import FakeBranch
from tests.cli.conftest import Cli, soon
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def shop(cli: Cli, url: str) -> None:
    cli("create", "app", "shop")
    cli("create", "queue", "orders", "-a", "shop")
    cli("create", "instance", "w1", "-a", "shop")


def test_waits_until_an_instance_runs(cli: Cli, branch: FakeBranch) -> None:
    soon(lambda: branch.supervisor.runs("w1"), 0.3)
    ran = cli("wait", "instance", "w1")
    assert ran.err.splitlines() == [
        "w1: pending: the supervisor has not looked at it yet", "w1: running: it answers",
    ]  # fmt: skip
    assert cli("wait", "app", "shop").code == 0
    ran = cli("create", "instance", "w1", "-a", "shop", "--exist-ok", "--wait", "-o", "json")
    assert json.loads(ran.out)["state"] == "running"


def test_gives_up_at_once_on_what_never_will_run(cli: Cli, branch: FakeBranch) -> None:
    branch.supervisor.statuses["w1"] = InstanceStatus(
        state=InstanceState.DISABLED, reason="it failed five times"
    )
    ran = cli("wait", "instance", "w1", code=Exit.FAILED)
    assert "The instance w1 does not run: it failed five times. 'cyme logs w1' shows" in ran.err
    assert "no instance" in cli("wait", "instance", "nope", code=Exit.NOT_FOUND).err


def test_says_what_it_waited_for_in_vain(cli: Cli) -> None:
    ran = cli("wait", "instance", "w1", "--wait-timeout", "0.4", code=Exit.TIMED_OUT)
    assert "After 0.4 s w1 is not running: w1 is pending (the supervisor has" in ran.err


def test_says_that_a_worker_ended_again_and_again(cli: Cli, branch: FakeBranch) -> None:
    starting = InstanceStatus(state=InstanceState.STARTING, reason="started")
    branch.supervisor.statuses["w1"] = starting
    again = replace(starting, restarts=2)
    soon(lambda: branch.supervisor.statuses.update(w1=again), 0.3)
    ran = cli("wait", "instance", "w1", "--wait-timeout", "1", code=Exit.TIMED_OUT)
    assert "It was restarted 2 times meanwhile; 'cyme describe instance w1' tells why." in ran.err


def test_waits_for_other_states(cli: Cli, branch: FakeBranch) -> None:
    branch.supervisor.statuses["w1"] = InstanceStatus(state=InstanceState.STOPPED, reason="")
    cli("wait", "instance", "w1", "--for", "stopped")
    soon(lambda: branch.client.simulate_delete("/instances/w1/"), 0.3)
    cli("wait", "instance", "w1", "--for", "deleted")


def test_a_restart_is_done_when_another_process_runs(cli: Cli, branch: FakeBranch) -> None:
    branch.supervisor.runs("w1", 1)
    soon(lambda: branch.supervisor.runs("w1", 2), 0.4)
    cli("restart", "w1", "--wait")
    cli("restart", "w1", "--wait", "--wait-timeout", "0.4", code=Exit.TIMED_OUT)
    branch.supervisor.statuses["w1"] = InstanceStatus(state=InstanceState.STOPPED, reason="")
    cli("stop", "w1", "--wait")
    cli("start", "w1", "--wait", "--wait-timeout", "0.3", code=Exit.TIMED_OUT)
    cli("delete", "instance", "w1", "--wait")


def test_a_queued_url_is_a_task_whose_answer_can_be_waited_for(
    cli: Cli, branch: FakeBranch
) -> None:
    task = cli("queue", "shop", "orders", "http://t/x?a=1&b=%20", "-d", '{"a": 1}').out.strip()
    sent = branch.tasks.sent[-1]
    assert "http://t/x?a=1&b=%20" in repr(sent)
    assert "application/json" in repr(sent)
    assert "'POST'" in repr(sent)
    answer = {"status_code": 201, "url": "http://t/", "content": "made\x1b[2J"}
    branch.tasks.outcomes[task] = Outcome(state=TaskState.SUCCESS, result=answer)
    ran = cli("wait", "task", task, "-a", "shop")
    assert (ran.out, ran.err) == ("made\\x1b[2J\n", "201 http://t/\n")
    told = json.loads(cli("wait", "task", task, "-a", "shop", "-o", "json").out)
    assert told["state"] == "SUCCESS"
    branch.tasks.outcomes[task] = Outcome(
        state=TaskState.FAILURE, result={"exc_type": "E"}, traceback="Traceback ..."
    )
    assert "ended with FAILURE" in cli("wait", "task", task, "-a", "shop", code=1).err
    told = json.loads(cli("queue", "shop", "orders", "http://t/", "-o", "json").out)
    assert (told["method"], told["queue"]) == ("GET", "orders")


def test_a_task_that_is_not_done_is_told_with_how_to_go_on(cli: Cli) -> None:
    words = ["queue", "shop", "orders", "http://t/", "--wait", "--wait-timeout", "0.2"]
    ran = cli(*words, code=Exit.TIMED_OUT)
    assert "is not done after 0.2 s; it is PENDING. 'cyme wait task" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ["queue", "shop", "orders", "ftp://x"],
        ["queue", "shop", "orders", "http://t/", "--eta", "soon"],
        ["queue", "shop", "orders", "http://t/", "--eta", "10m"],
        ["queue", "shop", "orders", "http://t/", "-d", "@nope"],
        ["wait", "task", "a", "b", "-a", "shop"],
        ["wait", "instance"],
        ["wait", "branch", "b"],
        ["purge", "a", "b", "c"],
    ],
)
def test_what_cannot_be_understood_is_told(words: list[str], cli: Cli) -> None:
    cli(*words, code=Exit.USAGE)


def test_options_of_a_queued_url_reach_the_task(cli: Cli, branch: FakeBranch) -> None:
    cli("queue", "shop", "orders", "http://t/", "--countdown", "60", "--expires", "10m",
        "--priority", "3", "--retries", "2", "--task-timeout", "5")  # fmt: skip
    sent = repr(branch.tasks.sent[-1])
    assert "countdown_s=60.0" in sent
    assert "expires_s=600.0" in sent
    assert "priority=3" in sent
    assert "retries=2" in sent


def test_purges_after_showing_how_many(cli: Cli, branch: FakeBranch) -> None:
    branch.watching.depths["orders"] = 3
    ran = cli("purge", "orders", "-a", "shop", code=Exit.REFUSED)
    assert "Throw away 3 messages of the queue orders of the app shop?" in ran.err
    ran = cli("purge", "shop", "orders", "--yes")
    assert ran.err == "3 messages are gone.\n"
    branch.watching.depths["orders"] = 0
    assert "is empty" in cli("purge", "orders", "-a", "shop").err
    cli("wait", "queue", "orders", "-a", "shop")
    branch.watching.depths["orders"] = 2
    ran = cli("wait", "queue", "orders", "-a", "shop", "--wait-timeout", "0.2", code=7)
    assert "still holds 2 messages" in ran.err


def test_several_restart_in_turn_until_one_does_not_come_back(cli: Cli, branch: FakeBranch) -> None:
    cli("create", "instance", "w2", "w3", "w4", "-a", "shop")
    cli("stop", "w4")
    for name in ("w1", "w2", "w3"):
        branch.supervisor.runs(name, 1)
    branch.supervisor.statuses["w4"] = InstanceStatus(state=InstanceState.STOPPED, reason="")
    restarted = branch.supervisor.restarted
    ran = cli("restart", "--all", code=Exit.REFUSED)
    assert "Restart 3 instances, 1 at a time?" in ran.err

    soon(lambda: branch.supervisor.runs("w1", 2), 0.4)
    failed = InstanceStatus(state=InstanceState.BACKOFF, reason="it ended with code 1")
    soon(lambda: branch.supervisor.statuses.update(w2=failed), 0.8)
    ran = cli("restart", "--all", "--yes", code=Exit.PARTLY)
    assert restarted == ["w1", "w2"], "w3 is left alone, and so is what was stopped"
    assert "Left stopped: w4." in ran.err
    assert "The instance w2 did not come back: it ended with code 1. 'cyme logs w2'" in ran.err
    assert ran.err.splitlines()[-3:] == [
        "run anew: w1", "told to restart, but not seen to run yet: w2", "not restarted: w3",
    ]  # fmt: skip

    ran = cli("restart", "w3", "w1", "--wait-timeout", "0.3", code=Exit.TIMED_OUT)
    assert restarted[2:] == ["w3"]
    assert "run anew: none" in ran.err
    cli("restart", "w1", "w3", "--at-a-time", "all")
    assert restarted[3:] == ["w1", "w3"]
    cli("restart", "w1", "--at-a-time", "0", code=Exit.USAGE)


def test_one_that_had_failed_before_its_turn_has_its_time(cli: Cli, branch: FakeBranch) -> None:
    cli("create", "instance", "w2", "-a", "shop")
    branch.supervisor.statuses["w1"] = InstanceStatus(state=InstanceState.BACKOFF, reason="before")
    branch.supervisor.runs("w2", 1)

    def comes_back(name: str, turn: int) -> None:
        eventually(lambda: len(branch.supervisor.restarted) == turn, 30.0)
        soon(lambda: branch.supervisor.runs(name, 2), 0.4)

    soon(lambda: comes_back("w1", 1), 0.0)
    soon(lambda: comes_back("w2", 2), 0.0)
    assert "2 instances run anew." in cli("restart", "w1", "w2", "--at-a-time", "1").err


def test_an_app_is_changed_in_turn_and_not_at_all_where_that_fails(
    cli: Cli, branch: FakeBranch
) -> None:
    def seen(path: str) -> Any:
        return branch.client.simulate_get(path).json

    cli("create", "instance", "w2", "-a", "shop")
    cli("create", "instance", "w3", "-a", "shop", "pool=solo")
    for name in ("w1", "w2", "w3"):
        branch.supervisor.runs(name, 1)
    soon(lambda: branch.supervisor.runs("w1", 2), 0.4)
    failed = InstanceStatus(state=InstanceState.BACKOFF, reason="no such pool")
    soon(lambda: branch.supervisor.statuses.update(w2=failed), 1.2)
    ran = cli("set", "app", "shop", "pool=threads", "--rolling", code=Exit.PARTLY)
    assert "run anew: w1" in ran.err
    assert "The app is not changed" in ran.err
    assert (seen("/shop/")["pool"], seen("/instances/w1/")["pool"]) == (None, "threads")
    assert seen("/instances/w2/")["own"] == [], "it is set back"
    assert "The instance w2 is set back." in ran.err

    branch.supervisor.runs("w2", 3)
    soon(lambda: branch.supervisor.runs("w2", 4), 0.6)
    ran = cli("set", "app", "shop", "pool=threads", "--at-a-time", "all")
    assert "The instance w2 has it from the app shop now." in ran.err
    assert seen("/shop/")["pool"] == "threads"
    assert seen("/instances/w2/")["own"] == [], "the app says so now"
    assert seen("/instances/w3/")["own"] == ["pool"]
    cli("set", "app", "shop", "pool=threads", "--rolling")

    for words in (["app", "shop", "max_concurrency=2"], ["app", "shop", "pool="],
                  ["instance", "w1", "pool=solo"]):  # fmt: skip
        cli("set", *words, "--rolling", code=Exit.USAGE)


def test_a_quarter_is_away_at_a_time() -> None:
    assert [usual_count(total) for total in (1, 3, 8, 1000)] == [1, 1, 2, 250]
