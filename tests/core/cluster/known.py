"""Items for tests, and strategies that make them.

As in a cluster, what two items of one key are compared by tells what they are: nobody writes two
things under one stamp.
"""

from __future__ import annotations

from hypothesis import strategies as st

from cyme.core.branches import BranchState
from cyme.core.cluster.items import InstanceNews, Item
from cyme.core.cluster.members import Profile, Statement
from cyme.core.model import (
    App,
    AppName,
    BranchId,
    Instance,
    InstanceName,
    Queue,
    QueueName,
    Stamp,
    WorkerSpec,
)
from cyme.core.status import InstanceState


def app(name: str, time_ms: int = 1) -> App:
    return App(
        name=AppName(name),
        spec=WorkerSpec(max_concurrency=time_ms),
        stamp=Stamp(time_ms, 0, "b1"),
        deleted=time_ms % 3 == 0,
    )


def queue(name: str, time_ms: int = 1) -> Queue:
    return Queue(
        app=AppName("shop"),
        name=QueueName(name),
        routing_key=f"r{time_ms}",
        stamp=Stamp(time_ms, 0, "b1"),
    )


def instance(
    name: str, time_ms: int = 1, epoch: int = 1, generation: int = 1, *, deleted: bool = False
) -> Instance:
    return Instance(
        name=InstanceName(name),
        app=AppName("shop"),
        home=BranchId(f"b{epoch}"),
        owner=BranchId(f"b{epoch}"),
        epoch=epoch,
        generation=generation,
        stamp=Stamp(time_ms, 0, "b1"),
        spec=WorkerSpec(max_concurrency=time_ms),
        deleted=deleted,
    )


def news(name: str, seq: int = 1, epoch: int = 1) -> InstanceNews:
    return InstanceNews(
        instance=InstanceName(name),
        branch=BranchId("b1"),
        epoch=epoch,
        boot=1,
        seq=seq,
        state=InstanceState.RUNNING,
        reason=f"told {seq} times",
    )


def statement(
    branch: str, boot: int = 1, incarnation: int = 0, state: BranchState = BranchState.ALIVE
) -> Statement:
    return Statement(
        branch=BranchId(branch),
        boot=boot,
        incarnation=incarnation,
        state=state,
        by=BranchId(branch),
        profile=Profile(calls_at="tcp://127.0.0.1:1", beats_at="tcp://127.0.0.1:2"),
    )


_names = st.sampled_from(["a", "b", "c", "d", "e"])
_numbers = st.integers(1, 4)

items: st.SearchStrategy[Item] = st.one_of(
    st.builds(app, _names, _numbers),
    st.builds(queue, _names, _numbers),
    st.builds(instance, _names, _numbers, _numbers, st.integers(1, 2), deleted=st.booleans()),
    st.builds(news, _names, _numbers, _numbers),
    st.builds(statement, _names, _numbers, _numbers, st.sampled_from(list(BranchState))),
)
