"""How healthy a branch holds itself to be: who is slow itself should accuse others slowly.

The score is that of Lifeguard (Dadgar, Phillips and Currey, "Lifeguard: Local health awareness
for more accurate failure detection", 2018).
"""

from __future__ import annotations

SCORE_MAX = 8


class Awareness:
    """A score from 0, healthy, to ``SCORE_MAX``."""

    def __init__(self) -> None:
        self.score = 0

    @property
    def factor(self) -> int:
        """By how much to lengthen what is waited for, from 1."""
        return 1 + self.score

    def worse(self, by: int = 1) -> None:
        """Take note of a sign that this branch is slow or cut off."""
        self.score = min(SCORE_MAX, self.score + by)

    def better(self) -> None:
        """Take note of a sign that it is not."""
        self.score = max(0, self.score - 1)
