"""The fakes that are shipped fulfil the ports; the type checker reads these assignments."""

from __future__ import annotations

from cyme.core.branches import BranchInfo, BranchState
from cyme.core.model import BranchId
from cyme.core.ports import Clock, Control, Controls, Machine, Members, Store, TaskGateway, Workers
from cyme.testing import (
    FakeClock,
    FakeControls,
    FakeMachine,
    FakeMembers,
    FakeTaskGateway,
    FakeWorkers,
    MemoryStore,
)
from tests.core import records


def test_every_port_has_a_fake() -> None:
    fake_clock = FakeClock()
    fake_workers = FakeWorkers(fake_clock)
    clock: Clock = fake_clock
    store: Store = MemoryStore()
    workers: Workers = fake_workers
    controls: Controls = FakeControls(fake_workers)
    machine: Machine = FakeMachine()
    control: Control = controls.control(records.BROKER)
    tasks: TaskGateway = FakeTaskGateway()
    members: Members = FakeMembers(BranchInfo(id=BranchId("b1")))
    assert clock.monotonic() > 0
    assert not store.load()
    assert not workers.find(["w1"])
    assert not machine.lacks("/usr/bin/python3", None)
    assert not control.survey([], with_limits=False, timeout_s=1.0)
    assert tasks.new_id() != tasks.new_id()
    assert list(members.ids()) == ["b1"]


def test_a_branch_is_held_alive_until_something_else_is_known() -> None:
    assert BranchInfo(id=BranchId("b1")).state is BranchState.ALIVE
