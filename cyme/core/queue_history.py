"""What a row of looks at a queue tells: how fast messages come and go, how long the oldest waits.

No broker tells this. It follows from how many messages wait at a moment (the depth) and, where it
is known, how many were taken since then, if the queue delivers in the order in which messages
came:

* what came between two looks is what was taken meanwhile, and by how much the depth grew;
* the message that waits longest came after a look whose messages have all been taken since, and
  before the first later one of which that is not so.

Where nobody consumes from a queue nothing is taken. Where it is not known how much was taken, it
was as much at least as the depth fell. Messages that expire, are purged or returned, and queues
with priorities, make these figures wrong for as long as such messages wait.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

#: Looks that are kept of a queue; the older they are the further apart.
LOOKS_MAX: Final = 120

#: Rates are told of so many seconds, if looks go back so far.
RATE_S: Final = 60.0

#: Looks that are closer to each other, in seconds, say nothing of a rate.
RATE_S_MIN: Final = 1.0

#: An age is known well if it is known to so many seconds, or to such a part of itself.
AGE_DOUBT_S: Final = 35.0
AGE_DOUBT_PART: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLook:
    """A look at a queue.

    Attributes:
        at: When (monotonic seconds).
        depth: How many messages waited.
        idle: Whether nobody has consumed from it since the look before.
        taken: How many messages were taken from it since some moment in the past; None if that
            is not known.
        takers: Who took them; what others took cannot be compared with it.
        untold: How many more messages those took since some moment in the past that came from this
            queue or from another one; if it grew, it is not known how many were taken.
    """

    at: float
    depth: int
    idle: bool = False
    taken: int | None = None
    takers: frozenset[str] = frozenset()
    untold: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A look that is kept, with what went up to it since the first one.

    Attributes:
        look: The look.
        went: So many messages at least.
        exact: Whether it is known to be so many since the look that is kept before.
    """

    look: QueueLook
    went: int
    exact: bool

    @property
    def came(self) -> int:
        """How many messages had come, those of the first look among them, if that is exact."""
        return self.went + self.look.depth

    def is_like(self, other: _Kept) -> bool:
        """Tell whether nothing came or went between two looks, as far as is known."""
        return (self.went, self.look.depth, self.exact) == (
            other.went,
            other.look.depth,
            other.exact,
        )


class QueueHistory:
    """The looks at one queue, bounded."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    def note(self, look: QueueLook) -> None:
        """Take in a look that is later than all before."""
        if not self._kept:
            self._kept.append(_Kept(look=look, went=0, exact=True))
            return
        last = self._kept[-1]
        taken = _taken(last.look, look)
        # What fell without being taken was purged, or expired: it is gone like what was taken.
        fell = max(0, last.look.depth - look.depth)
        went = last.went + (fell if taken is None else max(taken, fell))
        kept = _Kept(look=look, went=went, exact=taken is not None)
        # A row of looks that are all alike is as good as its first and its last.
        if len(self._kept) > 1 and kept.is_like(last) and last.is_like(self._kept[-2]):
            self._kept.pop()
        self._kept.append(kept)
        if len(self._kept) > LOOKS_MAX:
            self._thin_out()

    def rates(self) -> tuple[float | None, float | None]:
        """Return how many messages came and how many went, per second; None if not known."""
        if not self._kept:
            return None, None
        last = self._kept[-1]
        start = last.look.at - RATE_S
        window = [each for each in self._kept if each.look.at >= start]
        first, seconds = window[0], last.look.at - window[0].look.at
        earlier, ways = self._kept[: -len(window)], window[1:]
        if earlier and earlier[-1].is_like(first):
            # Nothing happened in what is missing of the window, if that is known.
            seconds, ways = RATE_S, window
        elif seconds < RATE_S_MIN:
            return None, None
        if not all(each.exact for each in ways):
            return None, None
        return (last.came - first.came) / seconds, (last.went - first.went) / seconds

    def age_bounds(self, now: float) -> tuple[float, float | None]:
        """Return for how long the oldest message has waited, at least and at most, in seconds.

        Args:
            now: Monotonic seconds, not before the latest look.

        Returns:
            At least 0; at most None if that is not known. Both are 0 if nothing waits.
        """
        if not self._kept:
            return 0.0, None
        last = self._kept[-1]
        if last.look.depth == 0:
            return 0.0, 0.0
        after: float | None = None  # it came after this moment
        before = last.look.at  # and before this one
        exact = True
        for kept in reversed(self._kept):
            # All that had come by this look have been taken since.
            if last.went - kept.went >= kept.look.depth:
                after = kept.look.at
                break
            if exact:
                before = kept.look.at
            exact = exact and kept.exact
        return max(0.0, now - before), None if after is None else max(0.0, now - after)

    def age_s(self, now: float) -> float | None:
        """Return for how long the oldest message has waited; None if that is not known well.

        Where it is known well it is the most that is possible, else what it is at least.

        Args:
            now: Monotonic seconds, not before the latest look.
        """
        least, most = self.age_bounds(now)
        if most is not None and most - least <= max(AGE_DOUBT_S, AGE_DOUBT_PART * most):
            return most
        return least if least > AGE_DOUBT_S else None

    def _thin_out(self) -> None:
        """Drop the look that is missed the least: whose neighbours are closest for their age."""
        now, kept = self._kept[-1].look.at, self._kept

        def gap(number: int) -> float:
            before = kept[number - 1].look.at
            return (kept[number + 1].look.at - before) / (now - before)

        number = min(range(1, len(kept) - 1), key=gap)
        dropped, after = kept[number], kept[number + 1]
        # What was not known of the way to the look that goes is not known of the longer way.
        kept[number + 1] = replace(after, exact=after.exact and dropped.exact)
        del kept[number]


def _taken(before: QueueLook, look: QueueLook) -> int | None:
    """Return how many messages were taken between two looks, None if that is not known."""
    if look.idle:
        return 0
    if look.taken is None or before.taken is None:
        return None
    if (look.takers, look.untold) != (before.takers, before.untold):
        return None
    if look.taken < before.taken:  # it was counted anew
        return None
    return look.taken - before.taken
