from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from benchmarks import members as members_module
from benchmarks.failure import BenchmarkFailed
from benchmarks.members import (
    Cost,
    Members,
    await_true,
    names,
    running_members,
    running_members_apart,
)
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the bytes")

SETTLE_S = 30.0
INSTANCES = 3


@pytest.fixture(scope="module")
def members() -> Iterator[Members]:
    """Yield three members in two processes that know each other and have instances."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members_module, "PER_PROCESS", 2)
        with running_members(Random(1), 3, instances=INSTANCES) as running:
            running.await_settled(SETTLE_S)
            running.ask("fill")
            running.await_settled(SETTLE_S)
            yield running


def test_members_are_shared_out_to_processes(members: Members) -> None:
    assert [group.names for group in members.groups] == [("m0", "m1"), ("m2",)]


def test_every_member_knows_all_and_the_same(members: Members) -> None:
    looks = [look for group in members.ask("look") for look in group]
    assert [look["alive"] for look in looks] == [3, 3, 3]
    assert len({look["digest"] for look in looks}) == 1


def test_filling_says_something_new(members: Members) -> None:
    (before,) = {look["digest"] for group in members.ask("look") for look in group}
    members.ask("fill")
    members.await_settled(SETTLE_S)
    (after,) = {look["digest"] for group in members.ask("look") for look in group}
    assert before != after


def test_members_tell_what_they_cost(members: Members) -> None:
    before = members.cost()

    def cost_of_many() -> Cost | None:
        cost = members.cost()
        heard = cost.messages_received - before.messages_received
        return cost if heard >= 12 else None

    after = eventually(cost_of_many, 30)
    took_s = after.at - before.at
    assert 0 < after.processor_s - before.processor_s < took_s
    # Three members hear two others each, about once a second, and each beat is some bytes.
    assert 12 <= after.messages_received - before.messages_received < 12 * (took_s + 1)
    sent, received = after.sent - before.sent, after.received - before.received
    assert 500 < sent < 100_000
    # Of so few messages some are on their way when it is counted.
    assert received == pytest.approx(sent, rel=0.5)


def test_members_tell_what_they_notice_once() -> None:
    with running_members_apart(Random(2), names(0, 2)) as running:
        running.await_settled(SETTLE_S)
        first, second = (group.ask("news") for group in running.groups)
        assert [(kind, branch) for kind, branch, _ in first["m0"]] == [("branch.joined", "m1")]
        assert [(kind, branch) for kind, branch, _ in second["m1"]] == [("branch.joined", "m0")]
        assert running.groups[0].starts_at < first["m0"][0][2] < time.monotonic()
        assert running.groups[0].ask("news") == {"m0": []}


def test_a_killed_member_comes_back_as_another_life() -> None:
    with running_members_apart(Random(3), names(0, 2)) as running:
        running.await_settled(SETTLE_S)
        killed = running.groups[1]
        running.groups[0].ask("news")
        before = time.monotonic()
        assert before <= running.kill(killed) <= time.monotonic()
        with pytest.raises(BenchmarkFailed, match="m1"):
            killed.ask("look")
        running.start(killed.names, boot=2)
        running.await_settled(SETTLE_S)


def test_members_are_gone_afterwards() -> None:
    with running_members_apart(Random(4), names(0, 1)) as running:
        process = running.groups[0].process
        assert process.poll() is None
    assert process.poll() is not None


def test_members_that_do_not_start_are_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "member_program.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(members_module, "ROOT", tmp_path)
    with (
        pytest.raises(BenchmarkFailed, match="m0 ended"),
        running_members_apart(Random(5), names(0, 1)),
    ):
        pytest.fail("it came up")


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(BenchmarkFailed, match=r"Nothing came within 0\.1 s"):
        await_true(lambda: False, 0.1, "Nothing came")
