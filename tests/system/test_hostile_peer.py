"""Real branches and a hostile peer: with the secret of the cluster, with another, with none.

Whoever has the secret is trusted: it may tell all branches to run what it likes. What is shown
here is that a member that is broken, or says nothing but nonsense, does not take the others along.
"""

from __future__ import annotations

import random
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cyme.adapters.sockets.multicast import GROUP, PORT
from tests.system import hostile_program
from tests.system.branches import Branch, lives
from tests.system.clusters import agree, know_each_other
from tests.system.conftest import StartBranch
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

GROWN_MIB_MAX = 50.0
#: The hub serves the API beside an attack; a machine with other work to do is slow by itself.
ANSWER_S_MAX = 6.0
#: Lines of the log: events of branches have a limit, faults are told once in a while.
LINES_MAX = 650

ATTACK_S = 10.0
FLOOD_S = 3.0
STRANGE_S = 2.0

#: All but the one that fills the cluster with invented branches.
ALL = tuple(
    name
    for name, deed in vars(hostile_program.Attacks).items()
    if callable(deed) and not name.startswith("_") and name != "greetings_of_the_invented"
)


def _attack(
    secret: Path, seconds: float, names: Sequence[str], victims: Sequence[Branch]
) -> list[str]:
    endpoints = [str(victim.member(f"/branches/{victim.name}/", "address")) for victim in victims]
    program = [sys.executable, "-m", "tests.system.hostile_program"]
    return [*program, str(secret), "default", str(seconds), ",".join(names), *endpoints]


def _secret(branch: Branch) -> Path:
    return branch.directory.parent / "state" / "default.secret"


class Watched:
    """How branches do while something happens."""

    def __init__(self, branches: Sequence[Branch]) -> None:
        self._branches = branches
        self._before = [self._rss_mib(branch) for branch in branches]
        self._lines = [self._lines_of(branch) for branch in branches]
        self.grown_mib = 0.0
        self.answer_s = 0.0

    def look(self) -> None:
        for branch, before in zip(self._branches, self._before, strict=True):
            begun = time.monotonic()
            assert branch.ask("GET", "/cluster/").status == 200
            self.answer_s = max(self.answer_s, time.monotonic() - begun)
            self.grown_mib = max(self.grown_mib, self._rss_mib(branch) - before)

    def lines(self) -> int:
        """Return how many lines a log grew by at most."""
        pairs = zip(self._branches, self._lines, strict=True)
        return max(self._lines_of(branch) - before for branch, before in pairs)

    @staticmethod
    def _rss_mib(branch: Branch) -> float:
        assert branch.process is not None
        rss: int = psutil.Process(branch.process.pid).memory_info().rss
        return rss / 2**20

    @staticmethod
    def _lines_of(branch: Branch) -> int:
        return branch.log.read_text().count("\n")


@contextmanager
def _attacked(command: Sequence[str], branches: Sequence[Branch]) -> Iterator[Watched]:
    """Have a program attack branches, and look how they do until it ends by itself."""
    watched = Watched(branches)
    attack = subprocess.Popen(command)
    try:
        yield watched
        while attack.poll() is None:
            watched.look()
        assert attack.returncode == 0
        watched.look()
    finally:
        attack.kill()
        attack.wait(10.0)
    print(  # noqa: T201 - figures for whoever reads the output
        f"grown {watched.grown_mib:.0f} MiB, answered within {watched.answer_s:.2f} s, "
        f"{watched.lines()} lines"
    )
    assert watched.grown_mib < GROWN_MIB_MAX
    assert watched.answer_s < ANSWER_S_MAX
    assert watched.lines() < LINES_MAX


def _pair(start_branch: StartBranch) -> list[Branch]:
    branches = [start_branch(name=name) for name in hostile_program.VICTIMS]
    know_each_other(branches)
    return branches


def _hold_each_other_alive(branches: Sequence[Branch]) -> bool:
    names = {branch.name for branch in branches}
    return all(
        {name for name, state in branch.states().items() if state == "alive"} >= names
        for branch in branches
    )


def test_a_member_that_talks_nonsense_takes_nobody_along(start_branch: StartBranch) -> None:
    branches = _pair(start_branch)
    one, two = branches
    one.put("/foo/instances/w1/", branch="branch1", queues=[])
    one.running("foo", "w1")
    pid = one.main_pid("foo", "w1")
    eventually(lambda: two.get("/foo/instances/") == ["w1"])
    with _attacked(_attack(_secret(one), ATTACK_S, ALL, branches), branches):
        eventually(lambda: "intruder" in one.states(), 10.0)
        two.put("/written/")
    eventually(lambda: one.ask("GET", "/written/").status == 200, 20.0)
    # What is written later is told by numbers that others still take.
    one.put("/later/")
    one.put("/written/", max_concurrency=3)
    eventually(lambda: two.ask("GET", "/later/").status == 200, 20.0)
    eventually(lambda: two.member("/written/", "max_concurrency") == 3, 20.0)
    eventually(lambda: _hold_each_other_alive(branches), 20.0)
    agree(branches)
    assert lives(pid)
    assert one.main_pid("foo", "w1") == pid
    assert two.instance("foo", "w1")["state"] == "running"
    assert two.owner("foo", "w1") == "branch1"
    # The last lies may still have to be refuted, which ends a call that is under way.
    eventually(lambda: two.post("/foo/instances/w1/restart/").status == 200, 30.0)


def test_invented_branches_push_nobody_out(start_branch: StartBranch) -> None:
    branches = _pair(start_branch)
    deeds = ("greetings_of_the_invented",)
    with _attacked(_attack(_secret(branches[0]), FLOOD_S, deeds, branches), branches):
        pass
    assert _hold_each_other_alive(branches)
    assert all(len(branch.states()) <= 2_001 for branch in branches)
    # Each has so much to listen to that it may not hear the other; calls arrive all the same.
    branches[0].put("/foo/instances/w1/", branch="branch2", is_enabled=False)
    assert branches[1].get("/foo/instances/") == ["w1"]


@pytest.mark.parametrize("secret", ["another", "none"])
def test_who_lacks_the_secret_gets_nothing(
    secret: str, start_branch: StartBranch, room: Path
) -> None:
    branches = _pair(start_branch)
    one, two = branches
    other = room / "other.secret"
    other.write_text(secrets.token_urlsafe(32))
    if secret == "another":
        command = _attack(other, STRANGE_S, ALL, branches)
    else:
        places = [str(one.member(f"/branches/{each.name}/", "address")) for each in branches]
        command = [sys.executable, "-c", _NOISE, str(STRANGE_S), *places]
    with _attacked(command, branches) as watched:
        one.put("/written/")
        eventually(lambda: two.ask("GET", "/written/").status == 200)
    assert watched.lines() < 20
    assert set(one.states()) == set(two.states()) == {"branch1", "branch2"}
    agree(branches)


def test_noise_where_beacons_are_heard_is_ignored(start_branch: StartBranch) -> None:
    branches = _pair(start_branch)
    watched = Watched(branches)
    chance = random.Random(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        loopback = socket.inet_aton("127.0.0.1")
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        for number in range(20_000):
            head = b"CYB1" if number % 2 else b""
            udp.sendto(head + chance.randbytes(chance.randint(0, 500)), (GROUP, PORT))
            if number % 1000 == 0:
                watched.look()
    watched.look()
    assert watched.grown_mib < GROWN_MIB_MAX
    assert watched.answer_s < ANSWER_S_MAX
    assert watched.lines() < 5
    know_each_other(branches)


#: Speaks no CURVE: bytes at a socket, and connections without a word.
_NOISE = """
import random, socket, sys, time
ends = time.monotonic() + float(sys.argv[1])
places = [place.removeprefix("tcp://").rpartition(":") for place in sys.argv[2:]]
chance = random.Random(7)
silent = []
while time.monotonic() < ends:
    for host, _, port in places:
        try:
            peer = socket.create_connection((host, int(port)), timeout=1.0)
            if chance.random() < 0.5:
                peer.sendall(chance.randbytes(chance.randint(1, 5000)))
        except OSError:
            continue
        silent.append(peer)
    while len(silent) > 200:
        silent.pop(0).close()
"""
