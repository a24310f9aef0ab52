"""A branch as the API sees it: the real service over fakes of everything outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from falcon import testing

from cyme.api.app import create_app
from cyme.core.access import Caller, Role
from cyme.core.alerts import Alert
from cyme.core.branches import BranchInfo
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

BRANCH_ID = "branch1"

TOKENS = {
    "cyme_v_viewer": Caller(Role.VIEWER, "vera"),
    "cyme_o_operator": Caller(Role.OPERATOR, "otto"),
    "cyme_a_admin": Caller(Role.ADMIN, "anna"),
}
VIEWER, OPERATOR, ADMIN = ({"Authorization": f"Bearer {token}"} for token in TOKENS)


class FakeTokens:
    """The tokens above."""

    def authenticate(self, token: str) -> Caller | None:
        return TOKENS.get(token)


class FakeBranch:
    """The parts of a branch and clients of its API, open or closed."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.replica = Replica(self.store, self.clock, BRANCH_ID)
        self.replica.load()
        self.supervisor = FakeSupervisor()
        self.workers = FakeWorkers(self.clock)
        self.controls = FakeControls(self.workers)
        self.tasks = FakeTaskGateway()
        self.listeners = FakeEventListeners()
        self.watching = FakeWatching()
        self.logs = FakeWorkerLogs()
        self.kept_tokens = FakeTokenKeeping()
        self.alerts: tuple[Alert, ...] = ()
        self.members = FakeMembers(
            BranchInfo(
                id=BranchId(BRANCH_ID), url="http://localhost:8000", port=8000, version="1.0"
            )
        )
        self.journal = Journal(self.clock, BRANCH_ID)
        self.service = Service(
            replica=self.replica,
            supervisor=self.supervisor,
            brokers=self.controls,
            tasks=self.tasks,
            journal=self.journal,
            members=self.members,
            clock=self.clock,
            default_broker=Broker("amqp://guest:guest@127.0.0.1:5672//"),
            load=lambda: 1.5,
            hub_lag_s=lambda: 0.25,
            memory_bytes=lambda: 90_000_000,
            watching=self.watching,
            logs=self.logs,
            tokens=self.kept_tokens,
            alerts=lambda: self.alerts,
            event_listeners=self.listeners,
        )
        self.app: Any = create_app(
            self.service, tokens=FakeTokens(), open_access=True, allowed_hosts=["cyme.example"]
        )
        self.client = client_of(self.app)
        self.closed_app: Any = create_app(self.service, tokens=FakeTokens(), open_access=False)
        self.closed = client_of(self.closed_app)

    def give_away(self, name: str, owner: str = "branch2") -> Instance:
        """Make another branch, known or not, the owner of an instance."""
        before = self.service.instance(name)
        after = replace(before, owner=BranchId(owner), epoch=before.epoch + 1)
        self.replica.absorb([after], 5.0)
        return after

    def stop(self) -> None:
        self.service.stop(5.0)


def client_of(app: Any) -> testing.TestClient:
    return testing.TestClient(app, headers={"Host": "localhost:8000"})
