"""Records for tests, and strategies that make them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from cyme.core.model import (
    App,
    AppName,
    BranchId,
    Broker,
    Instance,
    InstanceName,
    Queue,
    QueueName,
    Stamp,
    WorkerSpec,
)

BROKER = Broker("amqp://guest:secret@rabbit:5672//")


def app(name: str = "shop", **spec: Any) -> App:
    return App(
        name=AppName(name),
        spec=WorkerSpec(**{"broker": BROKER, **spec}),
        stamp=Stamp(1, 0, "b1"),
    )


def instance(name: str = "w1", app: str = "shop", **spec: Any) -> Instance:
    return Instance(
        name=InstanceName(name),
        app=AppName(app),
        home=BranchId("b1"),
        owner=BranchId("b1"),
        spec=WorkerSpec(**spec),
    )


def queue(name: str = "tasks", app: str = "shop", **declaration: Any) -> Queue:
    return Queue(
        app=AppName(app),
        name=QueueName(name),
        stamp=Stamp(1, 0, "b1"),
        **declaration,
    )


stamps = st.builds(Stamp, st.integers(0, 3), st.integers(0, 3), st.sampled_from(["b1", "b2", "b3"]))
#: Versions of one app, one queue and one instance: those of one stamp differ in nothing but
#: whether they are deleted.
apps = st.builds(
    lambda stamp, deleted: App(name=AppName("a"), spec=WorkerSpec(), stamp=stamp, deleted=deleted),
    stamps,
    st.booleans(),
)
queues = st.builds(
    lambda stamp, deleted: Queue(
        app=AppName("a"), name=QueueName("q"), stamp=stamp, deleted=deleted
    ),
    stamps,
    st.booleans(),
)
instances = st.builds(
    lambda epoch, owner, generation, stamp, deleted: Instance(
        name=InstanceName("w"),
        app=AppName("a"),
        home=BranchId("b1"),
        owner=BranchId(owner),
        epoch=epoch,
        generation=generation,
        stamp=stamp,
        version=stamp.time_ms + 1,
        spec=WorkerSpec(max_concurrency=stamp.counter + 1),
        deleted=deleted,
    ),
    st.integers(1, 3),
    st.sampled_from(["b1", "b2"]),
    st.integers(1, 2),
    stamps,
    st.booleans(),
)
