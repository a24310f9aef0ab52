"""What the branches of a cluster know in common, and how it is named, compared and merged.

Records are durable; statements about branches and news of instances live in memory alone. All of
them spread as rumours and are repaired by the same exchange of digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from cyme.core.cluster.members import Statement
from cyme.core.model import App, BranchId, Instance, InstanceName, Queue, merged
from cyme.core.status import InstanceState


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceNews:
    """How an instance is, as its owner tells the others.

    Attributes:
        instance: The instance.
        branch: The branch that tells: its owner at the time.
        epoch: The epoch of that ownership.
        boot: The life of the branch that tells.
        seq: Grows with all that this life tells.
        state: Where the instance stands.
        reason: Why, in words.
        pids: Its processes, the worker's main process first; at most ``PIDS_MAX``.
        restarts: How often it was restarted since its branch started.
        since: When it came into this state, seconds since 1970 UTC.
    """

    instance: InstanceName
    branch: BranchId
    epoch: int
    boot: int
    seq: int
    state: InstanceState
    reason: str
    pids: tuple[int, ...] = ()
    restarts: int = 0
    since: float = 0.0

    @property
    def order(self) -> tuple[int, str, int, int]:
        """What two news of one instance are compared by; the greater counts."""
        return (self.epoch, self.branch, self.boot, self.seq)


PIDS_MAX = 64
REASON_CHARS_MAX = 500

Item = App | Queue | Instance | InstanceNews | Statement

#: The kind of an item and its name; a queue's name is that of its app before its own.
Key = tuple[str, ...]


def key_of(item: Item) -> Key:
    """Return what names an item in the cluster."""
    match item:
        case App():
            return ("app", item.name)
        case Queue():
            return ("queue", item.app, item.name)
        case Instance():
            return ("instance", item.name)
        case InstanceNews():
            return ("news", item.instance)
    return ("branch", item.branch)


def joined(mine: Item | None, theirs: Item) -> Item:
    """Return what two items of one key are together; ``mine`` itself if nothing is new."""
    match mine, theirs:
        case None, _:
            return theirs
        case InstanceNews(), InstanceNews():
            return theirs if theirs.order > mine.order else mine
        case Statement(), Statement():
            return theirs if theirs.order > mine.order else mine
        case ((App() | Queue() | Instance()), (App() | Queue() | Instance())):
            return merged(mine, theirs)
    raise AssertionError("items of different kinds share a key")


def tag_of(item: Item) -> int:
    """Return 64 bits that are the same on all branches that know the same of an item."""
    match item:
        case App() | Queue():
            identity: tuple[object, ...] = (item.stamp, item.deleted)
        case Instance():
            identity = (item.generation, item.deleted, item.stamp, item.epoch, item.owner)
        case _:
            identity = item.order
    return _hash64(repr((key_of(item), identity)))


BUCKETS = 64


@lru_cache(maxsize=65_536)
def bucket_of(key: Key) -> int:
    """Return which of the ``BUCKETS`` buckets an item of that key is in."""
    return _hash64(repr(key)) % BUCKETS


def _hash64(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


#: What an item weighs besides its texts, in bytes.
_WEIGHT = 250


def weight_of(item: Item) -> int:
    """Return an estimate of the bytes that an item takes in a message."""
    match item:
        case App() | Instance():
            spec = item.spec
            texts = [spec.arguments or "", spec.extra_config or ""]
            texts += [part for pair in spec.env or () for part in pair]
            texts += item.queues if isinstance(item, Instance) else ()
        case Queue():
            texts = [item.options or ""]
        case InstanceNews():
            texts = [item.reason]
        case _:
            texts = []
    return _WEIGHT + sum(len(text) for text in texts)
