"""What happens when things are killed while they run."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.system.branches import Branch, lives
from tests.system.conftest import StartBranch
from tests.system.remote import send_task
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

#: The supervisor looks at every process so often.
LOOK_PERIOD_S = 1.0

#: An application whose task starts a grandchild in a session of its own.
SHOP = """
import subprocess
from celery import Celery

app = Celery("shop")

@app.task(name="shop.wander")
def wander(path):
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with open(path, "w") as pids:
        pids.write(str(child.pid))
    child.wait()
"""


def with_worker(start_branch: StartBranch, *arguments: str) -> tuple[Branch, int]:
    branch = start_branch(*arguments)
    branch.put("/foo/instances/w1/", max_concurrency=2, min_concurrency=2)
    branch.running("foo", "w1")
    return branch, branch.main_pid("foo", "w1")


def test_a_killed_worker_runs_again_within_five_seconds(start_branch: StartBranch) -> None:
    begun = time.monotonic()
    branch, pid = with_worker(start_branch)
    # What a branch and a worker took to start tells how busy the machine is.
    patience_s = max(5.0 + LOOK_PERIOD_S, 2 * (time.monotonic() - begun))
    children = psutil.Process(pid).children(recursive=True)
    assert children
    os.kill(pid, signal.SIGKILL)

    def runs_again() -> bool:
        worker = branch.instance("foo", "w1")
        return worker["state"] == "running" and worker["pids"][0] != pid  # type: ignore[index]

    eventually(runs_again, patience_s)
    assert branch.instance("foo", "w1")["restarts"] == 1
    assert not any(lives(child.pid) for child in children)


def test_a_killed_branch_adopts_its_workers_and_restarts_nothing(
    start_branch: StartBranch,
) -> None:
    branch, pid = with_worker(start_branch)
    branch.put("/foo/queues/tasks/", routing_key="t")
    branch.put("/foo/instances/w1/queues/tasks/")
    before = branch.instance("foo", "w1")
    branch.kill()
    assert lives(pid)
    branch.start()
    after = branch.running("foo", "w1")
    assert after["pids"] == before["pids"]
    assert after["restarts"] == 0
    assert after["queues"] == ["tasks"]
    assert branch.member("/foo/queues/tasks/", "routing_key") == "t"


def test_a_branch_that_is_stopped_leaves_its_workers_running(start_branch: StartBranch) -> None:
    branch, pid = with_worker(start_branch)
    assert branch.stop() == 0
    assert lives(pid)
    branch.start()
    assert branch.running("foo", "w1")["pids"][0] == pid  # type: ignore[index]


def test_an_instance_deleted_while_the_branch_was_down_is_stopped_at_its_return(
    start_branch: StartBranch,
) -> None:
    branch, pid = with_worker(start_branch)
    assert branch.ask("DELETE", "/foo/instances/w1/").status == 200
    branch.kill()
    branch.start()
    eventually(lambda: not branch.worker_processes("w1"), 30)
    assert not lives(pid)


def test_deleting_an_instance_leaves_no_process_of_it_not_even_a_grandchild(
    start_branch: StartBranch, room: Path
) -> None:
    (room / "shop.py").write_text(SHOP)
    branch = start_branch("--stop-timeout", "1", "--kill-timeout", "1")
    branch.put("/foo/instances/w1/", celery_app="shop", workdir=str(room))
    worker = branch.running("foo", "w1")
    wandered = room / "wandered"
    send_task(branch, "foo", "dq.w1", "shop.wander", str(wandered))
    eventually(lambda: wandered.exists() and wandered.read_text(), 20)
    grandchild = int(wandered.read_text())
    pids = [*worker["pids"], grandchild]  # type: ignore[misc]
    assert branch.ask("DELETE", "/foo/instances/w1/").status == 200
    eventually(lambda: not any(lives(pid) for pid in pids), 30)
    assert branch.worker_processes("w1") == []
    eventually(lambda: not (branch.workers_directory / "w1").exists(), 10)


def test_a_paused_worker_is_replaced(start_branch: StartBranch) -> None:
    branch, pid = with_worker(
        start_branch,
        *("--unresponsive-after", "4"),
        *("--sup-interval", "1"),
        *("--wait-after-broker-revived", "1"),
        *("--kill-timeout", "1"),
    )
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: branch.instance("foo", "w1")["restarts"] == 1, 60)
    branch.running("foo", "w1")
    assert not lives(pid)


def test_a_worker_that_cannot_start_is_given_up_with_its_last_words(
    start_branch: StartBranch, room: Path
) -> None:
    (room / "broken.py").write_text("raise RuntimeError('the shop is closed')\n")
    branch = start_branch("--restarts-max", "1")
    branch.put("/foo/instances/w1/", celery_app="broken", workdir=str(room))

    def reason() -> str:
        worker = branch.instance("foo", "w1")
        return str(worker["reason"]) if worker["state"] == "disabled" else ""

    assert "the shop is closed" in eventually(reason, 60)
    (room / "broken.py").write_text("from celery import Celery\napp = Celery('broken')\n")
    assert branch.ask("POST", "/foo/instances/w1/restart/").status in {200, 202}
    branch.running("foo", "w1")
