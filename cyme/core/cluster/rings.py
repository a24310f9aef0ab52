"""Whom a branch listens to: its successors on rings, each a permutation of the branches by hash.

Up to eleven branches all listen to all. Beyond that each listens to about ``RINGS`` others and
is listened to by as many, however many there are: a full mesh of 200 branches took 18 s to form
and kept its machine busy, ten rings took 1.4 s and a quarter of a percent of a processor. News
that everybody passes on once still reaches all, as the rings form a random graph.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache, partial
from hashlib import blake2b

from cyme.core.model import BranchId

RINGS = 10

_CIRCLE = 2**64
_POSITION_BYTES = 8


class Rings:
    """The rings as one branch sees them.

    Args:
        me: The branch.
    """

    def __init__(self, me: BranchId) -> None:
        self._mine = _positions(me)
        self._others: set[BranchId] = set()
        self._successors: list[BranchId | None] = [None] * RINGS

    def add(self, branch: BranchId) -> None:
        """Take a branch into the rings."""
        if branch in self._others:
            return
        self._others.add(branch)
        for ring, successor in enumerate(self._successors):
            if successor is None or self._distance(ring, branch) < self._distance(ring, successor):
                self._successors[ring] = branch

    def remove(self, branch: BranchId) -> None:
        """Take a branch out of the rings."""
        if branch not in self._others:
            return
        self._others.remove(branch)
        for ring, successor in enumerate(self._successors):
            if successor == branch:
                self._successors[ring] = min(
                    self._others, key=partial(self._distance, ring), default=None
                )

    def chosen(self) -> Collection[BranchId]:
        """Return whom to listen to."""
        if len(self._others) <= RINGS:
            return self._others
        return {successor for successor in self._successors if successor is not None}

    def _distance(self, ring: int, branch: BranchId) -> tuple[int, BranchId]:
        """Return how far a branch comes behind this one; its id settles what the hash leaves."""
        return (_positions(branch)[ring] - self._mine[ring]) % _CIRCLE, branch


@lru_cache(maxsize=4096)
def _positions(branch: BranchId) -> tuple[int, ...]:
    """Return where a branch stands on each ring."""
    return tuple(
        int.from_bytes(
            blake2b(branch.encode(), digest_size=_POSITION_BYTES, salt=bytes([ring])).digest(),
            "big",
        )
        for ring in range(RINGS)
    )
