"""Messages between branches as the frames of a ZeroMQ message, version 1.

::

    frame 0    CY1, the tag of the cluster (8 bytes), the kind of the message (1 byte)
    frame 1    MessagePack: the fields of the message, the sender first

A subscriber subscribes to the first eleven bytes. The sender tells which versions of the
protocol it speaks; branches whose versions do not overlap do not understand each other. Later
versions append fields and frames, which are not read here.

The laws of reading: size before structure, structure before types, types and ranges of all fields
before anything is made of them. Any fault is a ``ProtocolError`` and nothing else, which tells
where the fault is and nothing of the content. Whether what was said can be true (a leap of an
epoch or a clock) is for the node to judge, which knows what was said before.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import get_args

from cyme.core.cluster.items import Item
from cyme.core.cluster.messages import Directed, Message, Published
from cyme.errors import ProtocolError, TooLarge
from cyme.runtime.cluster.rows import MESSAGES, plain
from cyme.runtime.cluster.structure import check_structure, packed, unpacked

#: Bytes of all frames of a message at most; what the sockets are told as MAXMSGSIZE.
MESSAGE_BYTES_MAX = 1024 * 1024

#: Frames that are read, and frames that there may be.
FRAMES = 2
FRAMES_MAX = 8

MAGIC = b"CY1"
TAG_BYTES = 8

#: An element of a structure counts as so many bytes at least, so that who fills a message by
#: the sizes of its items does not exceed ``structure.ELEMENTS_MAX`` either.
ELEMENT_BYTES = 4


def cluster_tag(name: str) -> bytes:
    """Return the tag of a cluster: 8 bytes that are its own among the clusters of a network."""
    return blake2b(name.encode(), digest_size=TAG_BYTES, person=b"cyme-cluster").digest()


def pack(message: Message, *, cluster: bytes) -> list[bytes]:
    """Return a message as frames.

    Args:
        message: What is to be said.
        cluster: The tag of the cluster, as ``cluster_tag`` returns it.

    Raises:
        TooLarge: It has more than ``MESSAGE_BYTES_MAX`` bytes, and nobody would take it.
    """
    frames = [MAGIC + cluster + _KINDS[type(message)], packed(message, plain)]
    size = sum(map(len, frames))
    if size > MESSAGE_BYTES_MAX:
        raise TooLarge(
            f"A message of {size} bytes cannot be sent to another branch; {MESSAGE_BYTES_MAX} "
            "are the most."
        )
    return frames


def unpack(frames: Sequence[bytes], *, cluster: bytes, published: bool) -> Message:
    """Return the message that frames stand for.

    Args:
        frames: What was received, without what the socket put before it.
        cluster: The tag of this branch's cluster.
        published: Whether it was published, else it was sent to this branch alone.

    Raises:
        ProtocolError: It is not a message of this cluster and version, said in this way, with
            every field within its limits.
    """
    if not FRAMES <= len(frames) <= FRAMES_MAX:
        raise ProtocolError(f"There are {len(frames)} frames, not {FRAMES} to {FRAMES_MAX}.")
    size = sum(map(len, frames))
    if size > MESSAGE_BYTES_MAX:
        raise ProtocolError(f"There are {size} bytes; at most {MESSAGE_BYTES_MAX} are taken.")
    head = frames[0]
    if head[:-1] != MAGIC + cluster:
        raise ProtocolError("It is not of this cluster, or of another version of the protocol.")
    row = (_PUBLISHED if published else _DIRECTED).get(head[-1:])
    if row is None:
        raise ProtocolError("It is of a kind that is not known here, or not said in this way.")
    return row.read(unpacked(frames[1], MESSAGE_BYTES_MAX))


def size_of(item: Item) -> int:
    """Return how much an item takes of a message, in bytes, for who fills messages with items.

    It is never less than what the item takes, be it alone; many small elements count for more
    than their bytes, as ``structure.ELEMENTS_MAX`` bounds them too.
    """
    data = packed(item, plain)
    return max(len(data), ELEMENT_BYTES * check_structure(data))


_KINDS = {row.cls: kind for kind, row in MESSAGES.items()}
_PUBLISHED = {kind: row for kind, row in MESSAGES.items() if row.cls in get_args(Published)}
_DIRECTED = {kind: row for kind, row in MESSAGES.items() if row.cls in get_args(Directed)}
