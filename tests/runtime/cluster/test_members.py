"""What is told of an instance whose branch cannot tell of it itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from cyme.core.branches import BranchState
from cyme.core.status import InstanceState
from cyme.runtime.cluster.members import ClusterMembers
from cyme.runtime.replica import Replica
from cyme.testing import FakeClock, MemoryStore
from tests.core import records
from tests.runtime.cluster.said import PROFILE

INSTANCE = records.instance()


def members(
    state: BranchState | None, keep_drained: Callable[[bool], None] = lambda _: None
) -> ClusterMembers:
    """The branches, of which the instance's owner told that it runs, and is in a state now."""
    clock = FakeClock()
    told = SimpleNamespace(
        branch=INSTANCE.owner,
        epoch=INSTANCE.epoch,
        state=InstanceState.RUNNING,
        reason="it answers",
        pids=(),
        restarts=0,
        since=0.0,
    )
    node = SimpleNamespace(
        state=lambda _: state,
        heard_at=lambda _: clock.monotonic(),
        news=lambda _: told,
        statement=SimpleNamespace(profile=PROFILE),
        change_profile=lambda _now, profile: [profile],
    )
    driver: Any = SimpleNamespace(node=node, now=clock.monotonic, do=lambda _: None)
    replica = Replica(MemoryStore(), clock, "b9")
    return ClusterMembers(
        driver, name="test", replica=replica, clock=clock, keep_drained=keep_drained
    )


@pytest.mark.parametrize("is_pinned", [False, True], ids=["free", "pinned"])
def test_of_what_is_pinned_to_a_failed_branch_it_is_told_that_no_other_runs_it(
    is_pinned: bool,
) -> None:
    status, _ = members(BranchState.FAILED).status(replace(INSTANCE, pinned=is_pinned))
    assert status.state is InstanceState.UNKNOWN
    assert "has failed; it was running before that" in status.reason
    assert ("is pinned to that branch, so no other one runs it" in status.reason) == is_pinned


def test_of_a_branch_that_is_there_it_is_told_what_that_says() -> None:
    status, _ = members(BranchState.ALIVE).status(replace(INSTANCE, pinned=True))
    assert (status.state, status.reason) == (InstanceState.RUNNING, "it answers")


def test_of_a_branch_that_nobody_knows_nothing_is_told() -> None:
    status, _ = members(None).status(INSTANCE)
    assert status.reason == f"its branch {INSTANCE.owner!r} is not known here"


def test_what_is_to_be_remembered_of_a_drain_is_written_down() -> None:
    written: list[bool] = []
    branches = members(BranchState.ALIVE, written.append)
    branches.drain(True, remembered=False)
    branches.drain(False, remembered=False)
    assert written == []
    branches.drain(True)
    assert written == [True]
