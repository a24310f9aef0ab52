"""Several real branches on one machine: they meet, share, hand over, take over and come back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.branches import Branch, lives
from tests.system.clusters import agree, copies, everywhere, know_each_other, owned_by
from tests.system.conftest import StartBranch
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

#: Take-over begins so soon after a failure in these tests, in seconds.
TAKEOVER_S = 3.0
TAKEOVER = ("--takeover", f"{TAKEOVER_S:g}")

#: A branch is declared failed within this, in seconds, also where the machine is busy.
FAILED_S = 25.0

DUPLICATE_EXIT = 9


def cluster_of(start_branch: StartBranch, count: int, *arguments: str) -> list[Branch]:
    """Start branches that know each other."""
    branches = [start_branch(*arguments, name=f"branch{n}") for n in range(1, count + 1)]
    know_each_other(branches)
    return branches


def all_say(observers: list[Branch], branch: Branch, state: str, timeout_s: float) -> None:
    """Wait until others hold a branch to be in a state."""
    everywhere(observers, lambda observer: state_of(observer, branch) == state, timeout_s)


def all_list(branches: list[Branch], names: list[str]) -> None:
    """Wait until all branches know these instances, and no others."""
    everywhere(branches, lambda branch: branch.get("/foo/instances/") == names, 20.0)


def state_of(observer: Branch, branch: Branch) -> str:
    return observer.states()[branch.name]


def test_two_branches_on_one_machine_find_each_other(start_branch: StartBranch) -> None:
    one = start_branch(name="branch1")
    two = start_branch(name="branch2")
    assert two.get("/branches/") == ["branch1", "branch2"]
    eventually(lambda: one.get("/branches/") == ["branch1", "branch2"], 3.0)


def test_any_branch_answers_for_all(start_branch: StartBranch) -> None:
    branches = cluster_of(start_branch, 3)
    one = branches[0]
    for number in range(6):
        one.put(f"/foo/instances/w{number}/", is_enabled=False)
    one.put("/foo/queues/tasks/")
    names = [f"w{number}" for number in range(6)]
    all_list(branches, names)
    assert len({str(one.owner("foo", name)) for name in names}) > 1, "chance placed them all alike"
    for branch in branches:
        for name in names:
            branch.put(f"/foo/instances/{name}/queues/tasks/")
    agree(branches)
    for branch in branches:
        assert branch.instance("foo", "w3")["queues"] == ["tasks"]
    for name in names:
        reply = branches[2].ask("DELETE", f"/foo/instances/{name}/")
        assert reply.status == 200, reply.body
    all_list(branches, [])


def test_an_instance_moves_without_a_moment_without_a_worker(start_branch: StartBranch) -> None:
    branches = cluster_of(start_branch, 2)
    one, two = branches
    owned_by(one, "w1")
    old_pid = one.main_pid("foo", "w1")
    reply = two.post("/foo/instances/w1/move/?branch=branch2")
    assert reply.status == 200, reply.body
    assert reply.member("branch") == "branch2"
    two.running("foo", "w1")
    assert two.main_pid("foo", "w1") != old_pid
    eventually(lambda: not lives(old_pid), 30.0)
    assert copies(branches, "w1") == ["branch2"]


def test_the_instances_of_a_dead_machine_run_elsewhere_until_it_is_back(
    start_branch: StartBranch,
) -> None:
    branches = cluster_of(start_branch, 3, *TAKEOVER)
    one, two, three = branches
    owned_by(two, "w1")
    agree(branches)
    two.die_with_workers()
    all_say([one, three], two, "failed", FAILED_S)
    assert one.instance("foo", "w1")["state"] in {"unknown", "pending", "starting", "running"}
    eventually(lambda: one.owner("foo", "w1") != "branch2", 40.0)
    one.running("foo", "w1")
    two.start()
    eventually(lambda: one.owner("foo", "w1") == "branch2", 60.0)
    two.running("foo", "w1")
    eventually(lambda: copies(branches, "w1") == ["branch2"], 40.0)
    agree(branches)


def test_what_was_taken_over_stays_where_it_runs_while_it_is_pinned(
    start_branch: StartBranch,
) -> None:
    branches = cluster_of(start_branch, 3, *TAKEOVER)
    one, two, three = branches
    for name in ("w1", "w2"):
        owned_by(two, name)
    agree(branches)
    two.die_with_workers()
    all_say([one, three], two, "failed", FAILED_S)
    eventually(lambda: "branch2" not in {one.owner("foo", name) for name in ("w1", "w2")}, 60.0)
    one.running("foo", "w1")
    taken_by = one.owner("foo", "w1")
    assert one.put("/foo/instances/w1/", pinned=True).member("branch") == taken_by
    agree([one, three])
    two.start()
    # Both were its own; once it has taken the other one back, it has passed this one by.
    eventually(lambda: one.owner("foo", "w2") == "branch2", 90.0)
    agree(branches)
    shown = two.instance("foo", "w1")
    assert (shown["branch"], shown["pinned"]) == (taken_by, True)
    assert copies(branches, "w1") == [taken_by]
    assert two.post("/foo/instances/w1/move/").status == 409, "it is pinned"
    assert two.put("/foo/instances/w1/", pinned=False).member("pinned") is False
    moved = two.post("/foo/instances/w1/move/")
    assert moved.status == 200, moved.body
    assert moved.member("branch") != taken_by


def test_workers_that_outlive_their_branch_are_left_alone_and_adopted(
    start_branch: StartBranch,
) -> None:
    one, two = cluster_of(start_branch, 2, *TAKEOVER)
    owned_by(two, "w1")
    pid = two.main_pid("foo", "w1")
    two.kill()
    eventually(lambda: state_of(one, two) == "failed", FAILED_S)

    def was_examined() -> bool:
        return "instance.not-claimed w1" in one.log.read_text()

    eventually(was_examined, 40.0)
    assert one.owner("foo", "w1") == "branch2"
    assert lives(pid)
    two.start()
    two.running("foo", "w1")
    assert two.main_pid("foo", "w1") == pid
    assert copies([one, two], "w1") == ["branch2"]


def test_a_branch_that_stood_still_does_nothing_with_what_it_lost(
    start_branch: StartBranch,
) -> None:
    branches = cluster_of(start_branch, 3, *TAKEOVER)
    one, two, three = branches
    owned_by(two, "w1")
    agree(branches)
    two.pause()
    for process in two.worker_processes("w1"):
        process.kill()
    all_say([one, three], two, "failed", FAILED_S)
    eventually(lambda: one.owner("foo", "w1") != "branch2", 40.0)
    holder = next(branch for branch in branches if branch.name == one.owner("foo", "w1"))
    holder.running("foo", "w1")
    two.wake()
    # It learns what became of the instance before it looks at the worker that it had. Then, as it
    # is the home and never stopped, it starts the worker again and takes the instance back.
    eventually(lambda: state_of(one, two) == "alive", 20.0)
    eventually(lambda: one.owner("foo", "w1") == "branch2", 60.0)
    log = two.log.read_text()
    assert "branch.stalled" in log
    woken = log.index("branch.stalled")
    assert "instance.starting w1" not in log[woken:]
    assert woken < log.index("branch.acts", woken) < log.index("instance.restarting w1")
    two.running("foo", "w1")
    eventually(lambda: copies(branches, "w1") == ["branch2"], 40.0)
    agree(branches)


def refused(branch: Branch) -> str:
    """Start a branch that is to be refused; return what it said."""
    try:
        with pytest.raises(AssertionError):
            branch.start()
        assert branch.process is not None
        assert branch.process.wait(10.0) == DUPLICATE_EXIT
        return branch.log.read_text()
    finally:
        branch.kill()


def test_a_second_branch_of_the_same_id_is_refused(start_branch: StartBranch, room: Path) -> None:
    one = start_branch(name="branch1")
    two = Branch(room / "other", (), "branch1")
    said = refused(two)
    assert one.url in said
    assert two.url in said
    assert one.states() == {"branch1": "alive"}


def test_a_copied_directory_is_refused(start_branch: StartBranch, room: Path) -> None:
    one = start_branch(name="branch1")
    one.put("/foo/instances/w1/", is_enabled=False)
    shutil.copytree(one.directory, room / "copy")
    copy = Branch(room / "copy", (), "branch1")
    assert "--id" in refused(copy)
    assert one.get("/foo/instances/") == ["w1"]


def test_other_clusters_and_other_secrets_do_not_meet(
    start_branch: StartBranch, room: Path
) -> None:
    one = start_branch(name="branch1")
    other = start_branch("--cluster", "other", name="branch2")
    secret = room / "other.secret"
    subprocess.run([sys.executable, "-m", "cyme", "secret", str(secret)], check=True)
    stranger = start_branch("--cluster-secret", str(secret), name="branch3")
    for branch in (one, other, stranger):
        assert branch.get("/branches/") == [branch.name]


def test_a_drained_branch_hands_its_instances_over(start_branch: StartBranch) -> None:
    branches = cluster_of(start_branch, 2, "--drain")
    one, two = branches
    owned_by(one, "w1")
    reply = two.post("/branches/branch1/drain/")
    assert reply.status == 202, reply.body
    eventually(lambda: two.owner("foo", "w1") == "branch2", 60.0)
    eventually(lambda: copies(branches, "w1") == ["branch2"], 40.0)
    assert one.member("/branches/branch1/", "drained") is True
    two.put("/foo/instances/w2/", is_enabled=False)
    assert two.owner("foo", "w2") == "branch2"
    assert two.post("/branches/branch1/undrain/").status == 200
    eventually(lambda: two.member("/branches/branch1/", "drained") is False, 20.0)
    # Started with --drain, it does the same when it stops.
    assert two.stop() == 0
    assert one.owner("foo", "w1") == "branch1"
    assert state_of(one, two) == "left"
    one.running("foo", "w1")


def test_the_owner_away_is_503_and_nothing_half_done(start_branch: StartBranch) -> None:
    one, two = cluster_of(start_branch, 2)
    owned_by(two, "w1")
    eventually(lambda: one.owner("foo", "w1") == "branch2", 20.0)
    two.kill()
    reply = one.ask("DELETE", "/foo/instances/w1/")
    assert reply.status in {503, 504}, reply.body
    assert int(reply.headers["retry-after"]) >= 1
    eventually(lambda: state_of(one, two) == "failed", FAILED_S)
    reply = one.ask("DELETE", "/foo/instances/w1/")
    assert reply.status == 503, reply.body
    assert one.get("/foo/instances/") == ["w1"]
    shown = one.ask("GET", "/foo/instances/w1/")
    assert shown.status == 200
    assert shown.member("state") == "unknown"
    assert int(shown.headers["age"]) >= 5


def test_a_cluster_that_was_wholly_down_finds_itself_again(start_branch: StartBranch) -> None:
    branches = cluster_of(start_branch, 3)
    branches[0].put("/foo/instances/w1/", is_enabled=False)
    agree(branches)
    for branch in branches:
        assert branch.stop() == 0
    for branch in branches:
        branch.start()
    know_each_other(branches)
    agree(branches)
