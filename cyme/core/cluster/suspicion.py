"""How long a branch is suspected before it is held to have failed.

Long while one branch alone accuses it, who may be the slow one; the shorter the more others have
come to the same by themselves (Lifeguard, section IV-B; the logarithm is theirs).
"""

from __future__ import annotations

import math

from cyme.core.model import BranchId

SUSPICION_S_MAX = 12.0
SUSPICION_S_MIN = 4.0

#: So many independent accusers beside the first shorten it to the minimum.
ACCUSERS_WANTED = 3


class Suspicion:
    """The trial of one branch.

    Args:
        now: When it began (monotonic seconds).
        accuser: Who accused first.
        others: How many branches there are that could accuse it too.
    """

    def __init__(self, now: float, accuser: BranchId, others: int) -> None:
        self._began = now
        self._wanted = min(ACCUSERS_WANTED, max(0, others))
        self._accusers = {accuser}

    @property
    def deadline(self) -> float:
        """When the branch is held to have failed (monotonic seconds)."""
        if self._wanted == 0:
            return self._began + SUSPICION_S_MIN
        agreed = min(len(self._accusers) - 1, self._wanted)
        shorter = math.log(agreed + 1) / math.log(self._wanted + 1)
        return self._began + SUSPICION_S_MAX - shorter * (SUSPICION_S_MAX - SUSPICION_S_MIN)

    def accuse(self, accuser: BranchId) -> bool:
        """Take in another accusation; tell whether it is worth passing on."""
        if accuser in self._accusers or len(self._accusers) > ACCUSERS_WANTED:
            return False
        self._accusers.add(accuser)
        return True

    def delay(self, by_s: float) -> None:
        """Begin later: nobody could be heard meanwhile."""
        self._began += by_s
