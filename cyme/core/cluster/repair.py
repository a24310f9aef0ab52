"""Making two branches know the same: the exchange that finds and mends what rumours missed.

::

    A  ── Digest ──▶  B    what I know comes to this
    A  ◀── Buckets ─  B    it differs: these are the digests of my buckets
    A  ─ Summaries ▶  B    these differ: so much is in mine
    A  ◀── Items ───  B    here is what differs of mine, and these of yours I want
    A  ── Items ───▶  B    here they are

Both send what differs, as neither can tell from a tag whose word counts: the join of two items
may be neither of them.

Laws:

* Every message is answered by messages of a later step only, so an exchange ends.
* Of an exchange nothing is remembered from one message to the next: what is lost is found by the
  next one, and what comes twice or late does no harm.
* A step sends ``MESSAGES_MAX`` messages of ``MESSAGE_BYTES_MAX`` at most; the rest, too, is found
  by the next exchange, for what was mended differs no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, zip_longest
from typing import TypeVar

from cyme.core.cluster.digests import Table
from cyme.core.cluster.effects import Effect, Link, Reply, Send
from cyme.core.cluster.items import BUCKETS, Item, Key, joined, key_of
from cyme.core.cluster.messages import (
    ITEMS_MAX,
    STATEMENTS_MAX,
    SUMMARIES_MAX,
    Buckets,
    Digest,
    Items,
    Sender,
    Summaries,
)
from cyme.core.model import BranchId

#: Messages that one message is answered by at most.
MESSAGES_MAX = 20

#: No message is larger, in bytes.
MESSAGE_BYTES_MAX = 512 * 1024

#: What a message may come to by the estimates, in bytes: items and the keys that are wanted, or
#: summaries. A quarter of the message is left to what the estimates miss.
ITEMS_BYTES_MAX = 256 * 1024
KEYS_BYTES_MAX = 128 * 1024
SUMMARIES_BYTES_MAX = 384 * 1024

#: An item whose size nobody estimates, what a key is besides its texts, and a tag, in bytes.
ITEM_BYTES = 400
_KEY_BYTES = 12
_TAG_BYTES = 12

#: From the bucket that is told first to that of the next time; odd, so that all have their turn.
_STRIDE = 27

Summary = tuple[Key, int]
_T = TypeVar("_T")


class Repair:
    """One branch's part in the exchange.

    Args:
        table: What this branch knows. It is read only.
        size_of: Estimates the bytes of an item in a message. An item that is larger than
            ``ITEMS_BYTES_MAX`` by it is never sent.
    """

    def __init__(self, table: Table, size_of: Callable[[Item], int] = lambda _: ITEM_BYTES) -> None:
        self._table = table
        self._size_of = size_of
        self._first = 0  # the bucket that was told first the last time, if it differed

    def begin(
        self, me: Sender, endpoint: str, ages: Iterable[tuple[BranchId, float]] = ()
    ) -> list[Effect]:
        """Begin an exchange with the branch at an endpoint.

        Args:
            me: This branch.
            endpoint: Of the other's ROUTER socket.
            ages: How long ago branches were heard of, in seconds, the latest first; the first
                ``STATEMENTS_MAX`` are told.
        """
        told = tuple(islice(ages, STATEMENTS_MAX))
        return [Send(endpoint, Digest(sender=me, digest=self._table.digest, ages_s=told))]

    def on_digest(self, me: Sender, link: Link, message: Digest) -> list[Effect]:
        """Tell the digests of the buckets if the other knows otherwise."""
        if message.digest == self._table.digest:
            return []
        return [Reply(link, Buckets(sender=me, digests=self._table.digests()))]

    def on_buckets(self, me: Sender, link: Link, message: Buckets) -> list[Effect]:
        """Tell what is in the buckets that differ."""
        if len(message.digests) != BUCKETS:
            return []
        pairs = zip(self._table.digests(), message.digests, strict=True)
        differing = [bucket for bucket, (mine, theirs) in enumerate(pairs) if mine != theirs]
        # Every one comes first in its turn, so that those that never agree hold up no others.
        self._first = (self._first + _STRIDE) % BUCKETS
        differing.sort(key=lambda bucket: (bucket - self._first) % BUCKETS)
        return [
            Reply(link, Summaries(sender=me, buckets=tuple(buckets), summaries=tuple(summaries)))
            for buckets, summaries in islice(self._told(differing), MESSAGES_MAX)
        ]

    def on_summaries(self, me: Sender, link: Link, message: Summaries) -> list[Effect]:
        """Send what differs or what the other lacks, and want what differs or is lacking here."""
        table = self._table
        theirs = dict(message.summaries)
        differing = [key for key, tag in theirs.items() if table.tag(key) != tag]
        told = sorted({bucket for bucket in message.buckets if 0 <= bucket < BUCKETS})
        lacked = (key for bucket in told for key in table.keys_in(bucket) if key not in theirs)
        return self._items(me, link, chain(differing, lacked), wanted=differing)

    def on_items(self, me: Sender, link: Link, message: Items) -> tuple[list[Item], list[Effect]]:
        """Take in items, and send those that the other wants.

        Returns:
            The items that say something new, to be joined with those that are known; and the
            answer.
        """
        new = [
            item
            for item in message.items
            if joined(mine := self._table.get(key_of(item)), item) is not mine
        ]
        return new, self._items(me, link, dict.fromkeys(message.wanted), wanted=())

    def _told(self, buckets: Iterable[int]) -> Iterator[tuple[list[int], list[Summary]]]:
        """Share buckets out to messages, each as a whole.

        One that is too large for a message is told in parts, and in none of them as a whole: from
        these the other learns what it lacks, and it tells what is lacking here when it begins.
        """
        told: list[int] = []
        summaries: list[Summary] = []
        size = 0
        for bucket in buckets:
            found = self._table.summaries((bucket,))
            more = sum(map(_summary_bytes, found))
            if len(found) > SUMMARIES_MAX or more > SUMMARIES_BYTES_MAX:
                parts = _parts(found, _summary_bytes, SUMMARIES_MAX, SUMMARIES_BYTES_MAX)
                yield from (([], part) for part in parts)
                continue
            if len(summaries) + len(found) > SUMMARIES_MAX or size + more > SUMMARIES_BYTES_MAX:
                yield told, summaries
                told, summaries, size = [], [], 0
            told.append(bucket)
            summaries += found
            size += more
        if told:
            yield told, summaries

    def _items(
        self, me: Sender, link: Link, keys: Iterable[Key], *, wanted: Iterable[Key]
    ) -> list[Effect]:
        items = (item for key in keys if (item := self._table.get(key)) is not None)
        pairs = zip_longest(
            _parts(items, self._size_of, ITEMS_MAX, ITEMS_BYTES_MAX),
            _parts(wanted, _key_bytes, ITEMS_MAX, KEYS_BYTES_MAX),
            fillvalue=(),
        )
        return [
            Reply(link, Items(sender=me, items=tuple(sent), wanted=tuple(asked)))
            for sent, asked in islice(pairs, MESSAGES_MAX)
        ]


def _parts(
    things: Iterable[_T], size_of: Callable[[_T], int], count_max: int, bytes_max: int
) -> Iterator[list[_T]]:
    """Share things out to messages; one that is too large for any is left out."""
    part: list[_T] = []
    size = 0
    for thing in things:
        more = size_of(thing)
        if more > bytes_max:
            continue
        if len(part) == count_max or size + more > bytes_max:
            yield part
            part, size = [], 0
        part.append(thing)
        size += more
    if part:
        yield part


def _key_bytes(key: Key) -> int:
    return _KEY_BYTES + sum(map(len, key))


def _summary_bytes(summary: Summary) -> int:
    return _TAG_BYTES + _key_bytes(summary[0])
