"""A service over fakes of everything outside, and callers of each role."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cyme.core.access import Caller, Role
from cyme.core.branches import BranchInfo
from cyme.core.events import Event
from cyme.core.model import BranchId, Broker, Instance
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.runtime.service import Service
from cyme.testing import (
    FakeClock,
    FakeControls,
    FakeEventListeners,
    FakeMembers,
    FakeSupervisor,
    FakeTaskGateway,
    FakeTokenKeeping,
    FakeWatching,
    FakeWorkerLogs,
    FakeWorkers,
    MemoryStore,
)

BROKER = Broker("redis://:hush@127.0.0.1:7000/0")
RESULTS = "redis://:hush@127.0.0.1:7000/1"

VIEWER = Caller(Role.VIEWER, "vera")
OPERATOR = Caller(Role.OPERATOR, "otto")
ADMIN = Caller(Role.ADMIN, "anna")


class House:
    """The parts of a branch ``b1`` that knows a branch ``b2``, or of one of others."""

    def __init__(self, *infos: BranchInfo) -> None:
        infos = infos or (
            BranchInfo(id=BranchId("b1"), instances_max=100),
            BranchInfo(id=BranchId("b2"), instances_max=0),
        )
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.replica = Replica(self.store, self.clock, infos[0].id)
        self.replica.load()
        self.journal = Journal(self.clock, infos[0].id)
        self.supervisor = FakeSupervisor()
        self.workers = FakeWorkers(self.clock)
        self.controls = FakeControls(self.workers)
        self.tasks = FakeTaskGateway()
        self.listeners = FakeEventListeners()
        self.watching = FakeWatching()
        self.logs = FakeWorkerLogs()
        self.kept_tokens = FakeTokenKeeping()
        self.members = FakeMembers(*infos)
        self.service = Service(
            replica=self.replica,
            supervisor=self.supervisor,
            brokers=self.controls,
            tasks=self.tasks,
            journal=self.journal,
            members=self.members,
            clock=self.clock,
            default_broker=BROKER,
            default_result_backend=RESULTS,
            load=lambda: 1.5,
            hub_lag_s=lambda: 0.25,
            event_listeners=self.listeners,
            memory_bytes=lambda: 90_000_000,
            watching=self.watching,
            logs=self.logs,
            tokens=self.kept_tokens,
        )

    def put(self, name: str | None = "w1", app: str = "shop", **changes: Any) -> Instance:
        """Create or change an instance as an administrator."""
        return self.service.put_instance(app, name, changes, caller=ADMIN, timeout_s=5.0).record

    def declare(self, *names: str, app: str = "shop") -> None:
        """Declare queues, in an app that is created if need be."""
        self.service.put_app(app, {}, caller=ADMIN, timeout_s=5.0)
        for name in names:
            self.service.put_queue(app, name, caller=ADMIN, timeout_s=5.0)

    def give_away(self, name: str, owner: str = "b2") -> Instance:
        """Make another branch the owner of an instance."""
        before = self.service.instance(name)
        after = replace(before, owner=BranchId(owner), epoch=before.epoch + 1)
        self.replica.apply([after])
        return after

    def last_event(self) -> Event:
        """Return what happened last."""
        return self.journal.recent(1)[0]

    @property
    def writes(self) -> int:
        """How often the store was written."""
        return len(self.store.writes)
