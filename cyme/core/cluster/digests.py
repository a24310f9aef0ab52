"""What this branch knows, summed up so that two branches see at a glance where they differ.

Items fall into ``BUCKETS`` buckets by their key. The digest of a bucket is the exclusive or of
the tags in it, so a change takes one step; a tag is a hash of an item's key and content together,
so no two items have the same one by their nature. The digest of the whole is a hash of those of
the buckets in their order, so that what differs in two buckets cannot cancel out.

Law: the digests are a function of what is known, not of the order in which it was learnt.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import TypeVar, cast

from cyme.core.cluster.items import BUCKETS, InstanceNews, Item, Key, bucket_of, key_of, tag_of
from cyme.core.cluster.members import Statement
from cyme.core.model import App, Instance, Queue

_DIGESTS = struct.Struct(f">{BUCKETS}Q")

_ItemT = TypeVar("_ItemT", App, Queue, Instance, InstanceNews, Statement)


class Table:
    """The items that this branch knows, by key.

    Whoever puts items in bounds their number: it is that of what the cluster knows in common.
    """

    def __init__(self) -> None:
        self._buckets: list[dict[Key, tuple[Item, int]]] = [{} for _ in range(BUCKETS)]
        self._kinds: dict[type[Item], dict[Key, Item]] = {
            kind: {} for kind in (App, Queue, Instance, InstanceNews, Statement)
        }
        self._digests = [0] * BUCKETS
        self._digest: int | None = None  # until it is asked for after a change

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    # --- items ----------------------------------------------------------------------------------

    def put(self, item: Item) -> None:
        """Put an item in; it replaces the one of its key."""
        key, tag = key_of(item), tag_of(item)
        bucket = bucket_of(key)
        entries = self._buckets[bucket]
        _, before = entries.get(key, (None, 0))
        entries[key] = (item, tag)
        self._kinds[type(item)][key] = item
        self._change(bucket, before ^ tag)

    def drop(self, key: Key) -> None:
        """Take out the item of a key; nothing happens if there is none."""
        bucket = bucket_of(key)
        entry = self._buckets[bucket].pop(key, None)
        if entry is not None:
            item, tag = entry
            del self._kinds[type(item)][key]
            self._change(bucket, tag)

    def get(self, key: Key) -> Item | None:
        """Return the item of a key, None if there is none."""
        entry = self._buckets[bucket_of(key)].get(key)
        return None if entry is None else entry[0]

    def tag(self, key: Key) -> int | None:
        """Return the tag of the item of a key, None if there is none."""
        entry = self._buckets[bucket_of(key)].get(key)
        return None if entry is None else entry[1]

    def items_of(self, kind: type[_ItemT]) -> Collection[_ItemT]:
        """Return the items of a kind: a view, not to be gone through while the table changes."""
        return cast("Collection[_ItemT]", self._kinds[kind].values())

    def keys_in(self, bucket: int) -> Collection[Key]:
        """Return the keys in a bucket, 0 to ``BUCKETS`` - 1; a view, as above."""
        return self._buckets[bucket].keys()

    # --- what they come to ----------------------------------------------------------------------

    @property
    def digest(self) -> int:
        """Of all that is known, 64 bits; the same on all branches that know the same."""
        if self._digest is None:
            packed = _DIGESTS.pack(*self._digests)
            self._digest = int.from_bytes(blake2b(packed, digest_size=8).digest(), "big")
        return self._digest

    def digests(self) -> tuple[int, ...]:
        """Return the digests of the buckets, 64 bits each."""
        return tuple(self._digests)

    def summaries(self, buckets: Iterable[int]) -> list[tuple[Key, int]]:
        """Return the key and the tag of every item in some buckets."""
        return [(key, tag) for bucket in buckets for key, (_, tag) in self._buckets[bucket].items()]

    def _change(self, bucket: int, difference: int) -> None:
        self._digests[bucket] ^= difference
        self._digest = None
