from __future__ import annotations

from dataclasses import replace

import pytest

from cyme.core.branches import BranchInfo
from cyme.core.model import BranchId
from cyme.core.ports import Members
from cyme.core.status import InstanceState
from cyme.errors import NotSupported, OwnerUnreachable
from cyme.runtime.alone import Alone
from cyme.runtime.replica import Replica
from cyme.testing import FakeClock, MemoryStore
from tests.core.records import instance

INFO = BranchInfo(id=BranchId("b1"), port=8000)
THEIRS = replace(instance("w9"), owner=BranchId("b2"))


@pytest.fixture
def alone() -> Members:
    mine = [replace(instance("w1"), epoch=2), replace(instance("w2"), epoch=3)]
    replica = Replica(MemoryStore([*mine, THEIRS]), FakeClock(), "b1")
    replica.load()
    return Alone(INFO, replica)


def test_knows_itself_and_nobody_else(alone: Members) -> None:
    assert list(alone.ids()) == ["b1"]
    assert alone.info("b1") == INFO
    assert alone.info("b2") is None
    assert alone.may_act()


def test_is_the_whole_cluster(alone: Members) -> None:
    view = alone.view()
    assert (view.branch, view.branches, view.fenced) == ("b1", (INFO,), False)
    assert view.epochs == {"b1": 5}


def test_can_ask_nobody(alone: Members) -> None:
    with pytest.raises(OwnerUnreachable, match="'b2' cannot be asked"):
        alone.forward(BranchId("b2"), "delete_instance_here", {}, timeout_s=1.0)
    status, age_s = alone.status(THEIRS)
    assert (status.state, age_s) == (InstanceState.UNKNOWN, 0.0)
    assert "'b2'" in status.reason


def test_takes_nothing_over_and_is_not_drained(alone: Members) -> None:
    with pytest.raises(NotSupported, match="serves no cluster"):
        alone.take(THEIRS, timeout_s=1.0)
    with pytest.raises(NotSupported, match="no other could take"):
        alone.drain(True)
    alone.drain(False)
