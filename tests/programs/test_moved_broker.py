from __future__ import annotations

from cyme.core.model import (
    App,
    AppName,
    BranchId,
    Broker,
    Instance,
    InstanceName,
    Stamp,
    WorkerSpec,
)
from cyme.programs import moved_broker
from cyme.runtime.replica import Replica
from cyme.testing import FakeClock, MemoryStore

OLD, OLDER = Broker("redis://:p@127.0.0.1:1/0"), Broker("redis://:p@127.0.0.1:2/0")
NEW, OTHER = Broker("redis://:p@127.0.0.1:3/0"), Broker("amqp://u:p@host//")


def app(name: str, broker: Broker | None) -> App:
    return App(name=AppName(name), spec=WorkerSpec(broker=broker), stamp=Stamp(1, 0, "b1"))


def instance(name: str, broker: Broker | None, owner: str = "b1") -> Instance:
    return Instance(
        name=InstanceName(name),
        app=AppName("old"),
        home=BranchId(owner),
        owner=BranchId(owner),
        spec=WorkerSpec(broker=broker, pool="solo"),
    )


def test_what_named_a_former_broker_names_the_present_one() -> None:
    store = MemoryStore(
        [
            *(app("old", OLD), app("older", OLDER), app("other", OTHER), app("none", None)),
            *(instance("mine", OLD), instance("plain", None), instance("theirs", OLD, "b2")),
        ]
    )
    replica = Replica(store, FakeClock(), "b1")
    replica.load()
    assert moved_broker.follow(replica, FakeClock(), (OLDER, OLD), NEW) == 3

    again = Replica(store, FakeClock(), "b1")
    again.load()
    assert [each.spec.broker for each in again.apps()] == [None, NEW, NEW, OTHER]
    assert [each.spec.broker for each in again.instances()] == [NEW, None, OLD]
    mine = again.instance("mine")
    assert mine is not None
    assert (mine.version, mine.spec.pool) == (2, "solo")
    assert mine.stamp > instance("mine", OLD).stamp
    assert moved_broker.follow(again, FakeClock(), (OLDER, OLD), NEW) == 0


def test_nothing_is_written_where_nothing_moved() -> None:
    replica = Replica(MemoryStore([app("old", OLD)]), FakeClock(), "b1")
    replica.load()
    assert moved_broker.follow(replica, FakeClock(), (), NEW) == 0
