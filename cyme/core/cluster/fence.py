"""The fence: while it is up a branch acts on nothing that it owned, as it may have lost it.

It is up after a restart, and after a stall that was long enough for others to act. It comes down
when the branch has compared what it knows with one other branch, or when nobody is there to
compare with.

How a branch knows that a comparison is complete: a connection keeps the order of what goes
through it, so the answer to a ping that was sent behind a question comes after the answer to
the question.
"""

from __future__ import annotations

from cyme.core.model import BranchId

#: A branch that stood still for so long may have lost what it owned, in seconds; less than it
#: takes to be declared failed.
STALL_S = 6.0

#: A comparison that is not complete after so long is begun anew, in seconds.
ROUND_S = 2.0

#: Where nobody is heard for so long there is nobody to lose anything to, in seconds.
ALONE_S = 6.0

#: In the end availability goes before certainty, in seconds.
PATIENCE_S = 30.0


class Fence:
    """Whether a branch may act.

    Args:
        up: Whether it may not, at its start.
    """

    def __init__(self, *, up: bool) -> None:
        self.up = up
        self.lowered_at: float | None = None
        self._raised_at = float("-inf")
        self._heard = False
        self._peer: BranchId | None = None
        self._number: int | None = None
        self._round_ends = float("-inf")
        self._compared = False

    def start(self, now: float) -> None:
        """Begin to count the time."""
        if self.up:
            self.raise_(now)
        else:
            self.lowered_at = now

    def raise_(self, now: float) -> None:
        """Put the fence up."""
        self.up, self.lowered_at = True, None
        self._raised_at = now
        self._heard = self._compared = False
        self._peer = self._number = None
        self._round_ends = now

    def heard(self) -> None:
        """Take note that another branch was heard."""
        self._heard = True

    def wants_round(self, now: float) -> bool:
        """Tell whether a comparison with somebody is to be begun."""
        return self.up and not self._compared and now >= self._round_ends

    def begin_round(self, now: float, peer: BranchId, number: int) -> None:
        """Take note that a comparison with a branch was begun, with a ping behind it."""
        self._peer, self._number = peer, number
        self._round_ends = now + ROUND_S

    def goes_on(self, peer: BranchId) -> bool:
        """Tell whether a question to this branch belongs to the comparison."""
        return self.up and self._peer == peer and not self._compared

    def pinged(self, number: int) -> None:
        """Take note that another ping went behind another question."""
        self._number = number

    def answered(self, number: int) -> None:
        """Take note that a ping was answered."""
        if self.up and number == self._number:
            self._compared = True

    def comes_down(self, now: float, *, absorbing: bool) -> bool:
        """Tell, once, that the fence comes down.

        Args:
            now: Monotonic seconds.
            absorbing: Whether records that others sent are still being written.
        """
        if not self.up:
            return False
        alone = not self._heard and now >= self._raised_at + ALONE_S
        compared = self._compared and not absorbing
        if not (alone or compared or now >= self._raised_at + PATIENCE_S):
            return False
        self.up, self.lowered_at = False, now
        return True
