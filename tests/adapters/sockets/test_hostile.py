from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

from cyme.adapters.sockets import channel
from tests.adapters.sockets.ground import SECRET, Branch, Branches, Watch
from tests.adapters.sockets.hostile_program import LAST, MESSAGES
from tests.waiting import eventually

GROWN_MIB_MAX = 50.0
BUSY_S_MAX = 1.0


def _endures(branch: Branch, cluster: str, deed: str) -> None:
    """Let a program do its deed at a branch, and see that the branch stays as it is."""
    program = [sys.executable, "-m", "tests.adapters.sockets.hostile_program"]
    with Watch() as watch:
        attack = subprocess.Popen(
            [*program, branch.links.calls_at, SECRET.decode(), cluster, deed],
        )
        try:
            assert attack.wait(60) == 0
        finally:
            attack.kill()
    assert watch.grown_mib < GROWN_MIB_MAX
    assert watch.busy_s < BUSY_S_MAX


def _still_serves(branch: Branch, other: Branch) -> None:
    other.links.send(branch.links.calls_at, [b"ping", b"still there"])
    eventually(lambda: [b"pong", b"still there"] in other.inlet.messages)


@pytest.mark.slow
def test_a_frame_of_200_mib_is_not_taken(branches: Branches, cluster: str) -> None:
    branch, other = branches(), branches()
    _endures(branch, cluster, "giant")
    assert not branch.inlet.messages
    _still_serves(branch, other)


def test_a_message_of_200_000_frames_is_thrown_away(
    branches: Branches, cluster: str, caplog: pytest.LogCaptureFixture
) -> None:
    branch, other = branches(), branches()
    _endures(branch, cluster, "parts")
    assert branch.links.traffic.oversized == 1
    assert branch.inlet.messages == [LAST]
    assert "200001 frames" in caplog.text
    _still_serves(branch, other)


def test_a_flood_leaves_the_hub_to_others(branches: Branches, cluster: str) -> None:
    branch, other = branches(), branches()
    _endures(branch, cluster, "flood")
    assert branch.links.traffic.received == MESSAGES + 1
    _still_serves(branch, other)


def test_noise_is_handed_on_or_counted(
    branches: Branches, cluster: str, caplog: pytest.LogCaptureFixture
) -> None:
    branch, other = branches(), branches()
    _endures(branch, cluster, "noise")
    traffic = branch.links.traffic
    assert traffic.oversized > 0
    assert traffic.received + traffic.oversized == MESSAGES // 10 + 1
    assert traffic.received == len(branch.inlet.messages)
    assert max(map(len, branch.inlet.messages)) == channel.FRAMES_MAX
    assert caplog.text.count("thrown away") == 1
    _still_serves(branch, other)


def test_a_slow_inlet_leaves_the_hub_to_others(
    branches: Branches, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, other = branches(), branches()
    taken = 0

    def take(link: bytes, frames: Sequence[bytes]) -> None:
        nonlocal taken
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            pass
        taken += 1

    monkeypatch.setattr(slow.inlet, "on_directed", take)
    for _ in range(40):
        other.links.send(slow.links.calls_at, [b"work"])
    with Watch() as watch:
        eventually(lambda: taken == 40)
    assert watch.busy_s < BUSY_S_MAX
