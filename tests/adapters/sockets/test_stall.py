from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Callable, Iterator

import gevent
import pytest

from tests.adapters.sockets.ground import SECRET, Branch, Branches
from tests.waiting import eventually

pytestmark = pytest.mark.slow

#: More than wait to be read anywhere on the way: in both sockets and in both of the system's.
MESSAGES = 1000
BODY = b"x" * 20_000

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def stalling(cluster: str) -> Iterator[Start]:
    """Return what starts a branch that stands still once it has heard some others."""
    started: list[subprocess.Popen[str]] = []

    def start(*others: Branch) -> subprocess.Popen[str]:
        endpoints = [other.links.beats_at for other in others]
        program = "tests.adapters.sockets.stalled_program"
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", program, SECRET.decode(), cluster, *endpoints],
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_branch_outlives_a_stall_with_much_to_read_of_others_that_stay_or_die(
    branches: Branches, stalling: Start
) -> None:
    stays, dies = branches(), branches()
    process = stalling(stays, dies)
    assert process.stdout is not None
    reader = process.stdout

    def has_begun() -> bool:
        for number, branch in enumerate((stays, dies)):
            branch.links.publish([b"first", b"%d" % number])
        return bool(select.select([reader], [], [], 0.0)[0])

    eventually(has_begun)
    assert reader.readline() == "stalls\n"
    for _ in range(MESSAGES):
        for branch in (stays, dies):
            branch.links.publish([b"more", BODY])
        gevent.sleep(0.001)
    dies.links.stop(0.0)
    assert reader.readline() == "goes on\n"

    def is_heard_again() -> bool:
        stays.links.publish([b"last"])
        assert process.poll() is None, "it died of what waited"
        return bool(select.select([reader], [], [], 0.0)[0])

    eventually(is_heard_again)
    assert reader.readline() == "last\n"
