"""A branch's supervisor over fakes, with a clock that the test moves."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import gevent

from cyme.core.access import Caller, Role
from cyme.core.branches import BranchInfo
from cyme.core.launch import WorkerDefaults
from cyme.core.model import (
    EPOCH_STAMP,
    App,
    AppName,
    BranchId,
    Broker,
    Instance,
    InstanceName,
    Record,
    WorkerSpec,
)
from cyme.core.restarts import RestartPolicy
from cyme.core.status import InstanceState, InstanceStatus
from cyme.core.supervision import Policy
from cyme.runtime.brokers import Brokers
from cyme.runtime.intents import RecordIntents
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.runtime.service import Service
from cyme.runtime.supervisor import Supervisor
from cyme.testing import (
    FakeClock,
    FakeControls,
    FakeMembers,
    FakeTaskGateway,
    FakeWatching,
    FakeWorkers,
    MemoryStore,
)

BROKER = Broker("redis://:secret@127.0.0.1:6379/0")
OTHER_BROKER = Broker("amqp://guest:guest@127.0.0.1:5672//")
ADMIN = Caller(Role.ADMIN, "tests")
BRANCH = BranchId("branch1")
OTHER = BranchId("branch2")
APP = App(name=AppName("foo"), spec=WorkerSpec(broker=BROKER), stamp=EPOCH_STAMP)

POLICY = Policy(
    start_timeout_s=30,
    stop_timeout_s=20,
    kill_timeout_s=5,
    unresponsive_after_s=30,
    wait_after_broker_revived_s=10,
    restarts=RestartPolicy(failures_max=2, delay_s_first=5, jitter=0),
)

#: Time passes in steps of this, in seconds.
STEP_S = 0.5

#: Seconds between two surveys.
INTERVAL_S = 5.0


class World:
    """Everything that a supervisor needs, and the hand that moves its clock.

    Args:
        store: What an earlier run wrote.
        workers: What an earlier run left running.
        clock: The clock of those.
        may_act: Whether the branch may act at first.

    Attributes:
        may_act: Whether the branch may act.
        kept: Instances that the branch is about to own again.
        prepared: What was told of preparations: the instance, whether it runs, why.
        stretch: By how much full surveys are rarer.
    """

    def __init__(
        self,
        store: MemoryStore | None = None,
        workers: FakeWorkers | None = None,
        clock: FakeClock | None = None,
        *,
        may_act: bool = True,
    ) -> None:
        self.may_act = may_act
        self.kept: set[str] = set()
        self.prepared: list[tuple[str, bool, str]] = []
        self.stretch = 1.0
        self.clock = clock if clock is not None else FakeClock()
        self.store = store if store is not None else MemoryStore()
        self.workers = workers if workers is not None else FakeWorkers(self.clock)
        self.controls = FakeControls(self.workers)
        self.journal = Journal(self.clock)
        self.replica = Replica(self.store, self.clock, BRANCH)
        self.replica.load()
        self.brokers = Brokers(
            self.controls,
            self.clock,
            self.journal,
            interval_s=INTERVAL_S,
            stretch=lambda: self.stretch,
        )
        defaults = WorkerDefaults(branch=BRANCH, directory="/instances", python=sys.executable)
        self.supervisor = Supervisor(
            replica=self.replica,
            workers=self.workers,
            brokers=self.brokers,
            journal=self.journal,
            clock=self.clock,
            intents=RecordIntents(self.replica, defaults, BROKER),
            branch_id=BRANCH,
            policy=POLICY,
            parallel_starts=2,
            may_act=lambda: self.may_act,
            keeps=self.kept.__contains__,
            on_prepared=lambda instance, running, why: self.prepared.append(
                (instance.name, running, why)
            ),
        )
        self.service = Service(
            replica=self.replica,
            supervisor=self.supervisor,
            brokers=self.brokers,
            tasks=FakeTaskGateway(),
            journal=self.journal,
            members=FakeMembers(BranchInfo(id=BRANCH)),
            clock=self.clock,
            default_broker=BROKER,
            watching=FakeWatching(),
        )
        self.supervisor.start()

    def restarted(self, *, may_act: bool = True) -> World:
        """End this run and begin the next on what it left."""
        self.close()
        return World(self.store, self.workers, self.clock, may_act=may_act)

    def close(self) -> None:
        self.supervisor.stop(1)
        self.brokers.stop(1)

    def pass_time(self, seconds: float = 5.0) -> None:
        """Let time pass in small steps, with a pass of the supervisor after each."""
        for _ in range(max(1, int(seconds / STEP_S))):
            self.clock.advance(STEP_S)
            for broker, _ in self.brokers.views():
                self.brokers.watch_of(broker).wake()
            self._let_greenlets_run()
            self.supervisor.pass_now()
            self._let_greenlets_run()

    def _let_greenlets_run(self) -> None:
        for _ in range(10):
            gevent.sleep(0)

    def put(self, name: str, **changes: object) -> None:
        self.service.put_instance("foo", name, changes, caller=ADMIN, timeout_s=5)

    def delete(self, name: str) -> None:
        self.service.delete_instance(name, "foo", caller=ADMIN, timeout_s=5)

    def declare(self, name: str, routing_key: str | None = None) -> None:
        self.service.put_queue(
            "foo",
            name,
            exchange=None,
            exchange_type=None,
            routing_key=routing_key,
            options=None,
            caller=ADMIN,
            timeout_s=5,
        )

    def record(self, name: str) -> Instance:
        record = self.replica.instance_or_tombstone(name)
        assert record is not None
        return record

    def arrive(self, *records: Record) -> None:
        """Take in records as another branch would send them."""
        self.replica.absorb(records, 5)

    def hand_to(self, name: str, owner: BranchId, *, home: BranchId | None = None) -> None:
        """Have word arrive that a branch owns an instance from now on."""
        record = self.record(name)
        home = home if home is not None else record.home
        self.arrive(replace(record, owner=owner, home=home, epoch=record.epoch + 1))

    def foreign(self, name: str, **spec: object) -> Instance:
        """Have an instance of another branch arrive, and its app; return its record."""
        self.arrive(APP)
        self.arrive(
            Instance(
                name=InstanceName(name),
                app=APP.name,
                home=OTHER,
                owner=OTHER,
                spec=WorkerSpec(**spec),  # type: ignore[arg-type]  # a test's word
            )
        )
        return self.record(name)

    def said_of(self, name: str) -> Sequence[str]:
        """Return why, for every event of an instance."""
        return [f"{event.kind}: {event.reason}" for event in self.journal.of_instance(name)]

    def status(self, name: str) -> InstanceStatus:
        return self.supervisor.status(name)

    def state(self, name: str) -> InstanceState:
        return self.status(name).state

    def kinds(self, name: str) -> list[str]:
        return [event.kind for event in self.journal.of_instance(name)]


def running(world: World, *names: str) -> None:
    """Put instances, and let time pass until their workers run."""
    for name in names:
        world.put(name)
    world.pass_time(10)
    for name in names:
        assert world.state(name) is InstanceState.RUNNING, world.status(name)


def prepared(world: World, name: str = "w1", **spec: object) -> None:
    """Prepare an instance that another branch owns, and let it come to run."""
    world.supervisor.prepare(world.foreign(name, **spec))
    world.pass_time(5)
