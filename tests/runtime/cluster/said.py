"""Some messages of one cluster, and what becomes of them as frames."""

from __future__ import annotations

from typing import Any

from cyme.core.branches import BranchState
from cyme.core.cluster.items import InstanceNews, Item
from cyme.core.cluster.members import Profile, Statement
from cyme.core.cluster.messages import Beat, Call, Items, Message, Rumour, Sender
from cyme.core.model import BranchId, InstanceName
from cyme.core.status import InstanceState
from cyme.runtime.cluster.structure import packed, unpacked
from cyme.runtime.cluster.wire import MESSAGE_BYTES_MAX, cluster_tag, pack, unpack

TAG = cluster_tag("tests")
SENDER = Sender(BranchId("b1"), 1, 0)
PROFILE = Profile(calls_at="tcp://127.0.0.1:5555", beats_at="tcp://127.0.0.1:5556")
STATEMENT = Statement(
    branch=BranchId("b2"),
    boot=1,
    incarnation=0,
    state=BranchState.ALIVE,
    by=BranchId("b1"),
    profile=PROFILE,
)
NEWS = InstanceNews(
    instance=InstanceName("w1"),
    branch=BranchId("b1"),
    epoch=1,
    boot=1,
    seq=1,
    state=InstanceState.RUNNING,
    reason="it answers",
    pids=(11, 12),
)
BEAT = Beat(sender=SENDER, head=1, digest=2, lag_ms=3)
CALL = Call(
    sender=SENDER,
    id="0" * 32,
    method="stats",
    arguments=b"",
    budget_s=1.0,
    hops=0,
    target=BranchId("b2"),
    target_boot=0,
)
RUMOUR = Rumour(BranchId("b1"), 1, 1, NEWS)


def read(message: Message, *, published: bool = False) -> Message:
    return unpack(pack(message, cluster=TAG), cluster=TAG, published=published)


def items(*told: Item, **fields: Any) -> Items:
    return Items(sender=SENDER, items=told, **fields)


def body(message: Message) -> Any:
    return unpacked(pack(message, cluster=TAG)[1], MESSAGE_BYTES_MAX)


def frames_of(message: Message, plain: object) -> list[bytes]:
    """Return frames of the kind of a message with another body."""
    return [pack(message, cluster=TAG)[0], packed(plain)]


def changed(plain: Any, path: tuple[int, ...], value: object) -> Any:
    """Return a body with another value at a place."""
    if not path:
        return value
    place, *rest = path
    return [*plain[:place], changed(plain[place], tuple(rest), value), *plain[place + 1 :]]
