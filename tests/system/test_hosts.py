"""Branches on several hosts: they meet over the network, and it is cut and mended between them.

The hosts are network namespaces with a real broker among them; see ``tests.system.hosts``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.branches import Branch, clean_environment, lives
from tests.system.clusters import (
    agree,
    copies,
    everywhere,
    know,
    know_each_other,
    launch_all,
    owned_by,
    seconds_of,
    show,
)
from tests.system.hosts import HostedBranch, Network, network
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.redis, pytest.mark.timeout(240)]

#: Take-over begins so soon after a failure in these tests, in seconds.
TAKEOVER = ("--takeover", "3")

#: A branch is declared failed within this, in seconds, also where the machine is busy.
FAILED_S = 25.0

#: A branch that is heard is silent for less, in seconds.
SILENCE_S = 2.5

STANDSTILL_S = 120.0

#: Whoever is held to have failed by one branch alone is so within this, in seconds.
DETECTION_S = 18.0

#: After a cut is mended all are alive, and know the same, within this, in seconds.
HEALED_S = 30.0

USAGE_EXIT = 2
COMMAND_TIMEOUT_S = 30.0

#: Where branches on several hosts are bound, and what --bind makes of it.
EVERYWHERE = ("--bind", "0.0.0.0")
CALLS_PORT, BEATS_PORT = 7700, 7701


@dataclass
class Site:
    """Hosts with a broker that all can reach, a secret, and the branches on them."""

    network: Network
    room: Path
    broker: str
    secret: Path
    branches: list[HostedBranch]

    def branch(self, *arguments: str, secret: Path | None = None) -> HostedBranch:
        """Return a branch on a new host, which is not started yet."""
        number = len(self.branches) + 1
        host = self.network.add_host(f"host{number}")
        directory = self.room / host.name / "branch"
        directory.parent.mkdir()
        given = (
            *EVERYWHERE,
            *("--cluster-secret", str(secret or self.secret)),
            *("--broker", self.broker),
            *TAKEOVER,
            *arguments,
        )
        branch = HostedBranch(directory, given, f"branch{number}", 8000, host=host)
        self.branches.append(branch)
        return branch

    def three(self) -> list[HostedBranch]:
        """Start three branches that know each other."""
        first = self.branch()
        branches = [first, *(self.branch("--join", first.host.address) for _ in range(2))]
        launch_all(branches)
        know_each_other(branches)
        return branches


@pytest.fixture
def site(room: Path) -> Iterator[Site]:
    with network(room) as made:
        site = Site(made, room, made.add_redis(), new_secret(room / "cyme.secret"), [])
        yield site
        for branch in site.branches:
            branch.end()


def new_secret(path: Path) -> Path:
    done = run_cyme(path.parent, "secret", str(path))
    assert done.returncode == 0, done.stderr
    return path


def run_cyme(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cyme", *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        env=clean_environment(home),
    )


def healed(branches: Sequence[Branch]) -> None:
    know_each_other(branches, HEALED_S)
    agree(branches, HEALED_S)


def test_missing_namespaces_are_a_skipped_test_or_where_they_are_required_a_failure(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(room))
    monkeypatch.setenv("CYME_TESTS_REQUIRE_SERVERS", "")
    with pytest.raises(pytest.skip.Exception, match="ip is not installed"), network(room):
        pass
    monkeypatch.setenv("CYME_TESTS_REQUIRE_SERVERS", "redis,namespaces")
    with pytest.raises(pytest.fail.Exception, match="ip is not installed"), network(room):
        pass


# --- the way in ---------------------------------------------------------------------------------


def test_one_address_is_enough_and_a_name_does_too(site: Site) -> None:
    site.network.drop_multicast()
    one = site.branch()
    two = site.branch("--join", one.host.address)
    three = site.branch("--join", f"host1.test:{CALLS_PORT}", "--advertise", "host3.test")
    branches = [one, two, three]
    launch_all(branches)
    know_each_other(branches)
    two.put("/foo/")
    everywhere(branches, lambda branch: branch.get("/") == ["foo"], 5.0)
    # Nothing was needed for it but what a branch was told: the name goes for calls, too.
    owned_by(three, "w1")
    eventually(lambda: two.owner("foo", "w1") == "branch3", 20.0)
    assert two.ask("GET", "/foo/instances/w1/").member("state") == "running"
    assert two.post("/foo/instances/w1/restart/").status in {200, 202}


def test_a_beacon_is_enough_on_one_network(site: Site) -> None:
    branches = [site.branch(), site.branch()]
    launch_all(branches)
    know_each_other(branches)


def test_a_stranger_gets_nothing_and_noise_does_no_harm(site: Site) -> None:
    one = site.branch()
    stranger = site.branch(
        "--join", one.host.address, secret=new_secret(site.room / "other.secret")
    )
    launch_all([one, stranger])
    one.put("/foo/")
    noise = (b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 9 + b"\x7f" + b"\x00" * 64, os.urandom(4096))
    open_ones = []
    for port in (CALLS_PORT, BEATS_PORT):
        for line in noise * 5:
            connection = stranger.host.connected(one.host.address, port)
            connection.sendall(line)
            open_ones.append(connection)
    late = site.branch("--join", one.host.address)
    launch_all([late])
    know_each_other([one, late])
    agree([one, late])
    for connection in open_ones:
        connection.close()
    assert stranger.states() == {stranger.name: "alive"}
    assert stranger.get("/") == []


def test_a_branch_that_others_could_reach_wants_a_secret(room: Path) -> None:
    done = run_cyme(room, "--bind", "0.0.0.0", "-D", str(room / "branch"), "127.0.0.1:0")
    assert done.returncode == USAGE_EXIT
    assert "cyme-branch secret cyme.secret" in done.stderr
    assert "cyme-branch --bind 0.0.0.0:7700 --cluster-secret cyme.secret" in done.stderr


# --- cuts ---------------------------------------------------------------------------------------


def test_a_worker_that_is_only_cut_off_is_left_alone(site: Site) -> None:
    site.network.drop_multicast()
    branches = site.three()
    one, two, three = branches
    owned_by(one, "w1")
    pid = one.main_pid("foo", "w1")
    agree(branches)
    site.network.cut(one.host, two.host, three.host)
    failed = {"branch1": "failed", "branch2": "alive", "branch3": "alive"}
    show("declared failed", seconds_of(lambda: know([two, three], failed, FAILED_S)))

    def was_examined() -> bool:
        told = two.log.read_text() + three.log.read_text()
        return "instance.not-claimed w1" in told and "is left alone" in told

    show("examined", seconds_of(lambda: eventually(was_examined, 40.0)))
    know([one], {"branch1": "alive", "branch2": "failed", "branch3": "failed"}, FAILED_S)
    assert {branch.owner("foo", "w1") for branch in branches} == {"branch1"}
    assert copies(branches, "w1") == ["branch1"]
    site.network.heal()
    show("healed", seconds_of(lambda: healed(branches)))
    assert {branch.owner("foo", "w1") for branch in branches} == {"branch1"}
    assert copies(branches, "w1") == ["branch1"]
    assert one.main_pid("foo", "w1") == pid


def test_an_instance_runs_elsewhere_while_its_home_is_cut_off_and_then_there_again(
    site: Site,
) -> None:
    branches = site.three()
    one, two, three = branches
    owned_by(one, "w1")
    pid = one.main_pid("foo", "w1")
    agree(branches)
    broker = site.network.hosts[0]
    site.network.cut(one.host, two.host, three.host, broker)
    begun = time.monotonic()
    eventually(lambda: two.owner("foo", "w1") != "branch1", 60.0)
    show("claimed after the cut", time.monotonic() - begun)
    two.running("foo", "w1")
    show("runs elsewhere after the cut", time.monotonic() - begun)
    (elsewhere,) = set(copies(branches, "w1")) - {"branch1"}
    assert lives(pid)
    # What is written on either side is known on both in the end.
    one.put("/here/")
    two.put("/there/")
    two.put("/foo/instances/w1/", max_concurrency=3)
    site.network.heal()
    begun = time.monotonic()
    know_each_other(branches, HEALED_S)
    show("all alive after the cut was mended", time.monotonic() - begun)
    everywhere(branches, lambda branch: branch.owner("foo", "w1") == "branch1", 60.0)
    show("home again after", time.monotonic() - begun)
    eventually(lambda: copies(branches, "w1") == ["branch1"], 40.0)
    show(f"the copy on {elsewhere} is gone after", time.monotonic() - begun)
    agree(branches)
    show("equal digests after", time.monotonic() - begun)
    assert three.get("/") == ["foo", "here", "there"]
    assert one.running("foo", "w1")["max_concurrency"] == 3
    assert one.main_pid("foo", "w1") == pid
    assert lives(pid)


def test_a_cut_in_one_direction_makes_nobody_fail(site: Site) -> None:
    branches = site.three()
    one, two, _ = branches
    site.network.cut_one_way(one.host, two.host)
    eventually(lambda: silence_s(two, one) > SILENCE_S, 10.0)
    until = time.monotonic() + DETECTION_S
    one.put("/foo/")
    show("known by way of the third", seconds_of(lambda: eventually(lambda: two.get("/"), 5.0)))
    seen: set[str] = set()

    def is_over() -> bool:
        for branch in branches:
            seen.update(branch.states().values())
        return time.monotonic() > until

    eventually(is_over, FAILED_S)
    assert seen <= {"alive", "suspect"}
    know_each_other(branches, FAILED_S)
    site.network.heal()
    begun = time.monotonic()
    eventually(lambda: silence_s(two, one) < SILENCE_S, HEALED_S)
    show("heard again after", time.monotonic() - begun)
    healed(branches)


def silence_s(observer: Branch, branch: Branch) -> float:
    """Return for how long a branch has not heard another one, which is not asked for that."""
    listed = observer.get("/branches/?details=1")
    assert isinstance(listed, list)
    (heard_s,) = [each["heard_s"] for each in listed if each["id"] == branch.name]
    assert isinstance(heard_s, int | float)
    return heard_s


# --- minutes ------------------------------------------------------------------------------------


@pytest.mark.soak
def test_a_branch_that_stood_still_for_two_minutes_goes_on(site: Site) -> None:
    branches = site.three()
    one, two, three = branches
    owned_by(two, "w1")
    pid = two.main_pid("foo", "w1")
    agree(branches)
    two.pause()
    until = time.monotonic() + STANDSTILL_S
    know([one, three], {"branch1": "alive", "branch2": "failed", "branch3": "alive"}, FAILED_S)
    for number in range(100):
        one.put(f"/app{number}/")
    eventually(lambda: time.monotonic() > until, STANDSTILL_S)
    two.wake()
    show("healed", seconds_of(lambda: healed(branches)))
    assert {branch.owner("foo", "w1") for branch in branches} == {"branch2"}
    assert copies(branches, "w1") == ["branch2"]
    assert two.main_pid("foo", "w1") == pid
    assert two.get("/") == one.get("/")
    eventually(lambda: "branch.stalled" in two.log.read_text(), 10.0)
    eventually(lambda: "branch.acts" in two.log.read_text(), 10.0)
