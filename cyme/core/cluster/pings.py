"""Pings that wait for their answer."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from cyme.core.cluster.effects import Link
from cyme.core.model import BranchId

#: A ping is forgotten after so long, in seconds.
PING_S = 5.0

#: Pings that wait at a time; the oldest are forgotten first.
PINGS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A ping that was sent.

    Attributes:
        target: Who is to answer.
        sent_at: When it was sent (monotonic seconds).
        link: Who asked this branch to send it, None if nobody did.
        number: The number by which that one knows it.
    """

    target: BranchId
    sent_at: float
    link: Link | None
    number: int


class Pings:
    """The pings that this branch has sent."""

    def __init__(self) -> None:
        self._last = 0
        self._asked: OrderedDict[int, Asked] = OrderedDict()

    def new(self, now: float, target: BranchId, link: Link | None = None, number: int = 0) -> int:
        """Return the number of a new ping; see ``Asked`` for the arguments."""
        self._last += 1
        self._asked[self._last] = Asked(target, now, link, number)
        while len(self._asked) > PINGS_MAX or self._is_old(now):
            self._asked.popitem(last=False)
        return self._last

    def take(self, number: int, target: BranchId) -> Asked | None:
        """Return the ping that an answer belongs to, once; None if there is none."""
        asked = self._asked.get(number)
        if asked is None or asked.target != target:
            return None
        del self._asked[number]
        return asked

    def _is_old(self, now: float) -> bool:
        return now > next(iter(self._asked.values())).sent_at + PING_S
