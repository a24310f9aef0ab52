"""Where alerts are sent to, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What came of an attempt to deliver something.

    ``refused``: the target will never take it, so it is not tried again; ``failed``: it may.
    """

    DELIVERED = "delivered"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to deliver something.

    Attributes:
        outcome: What came of it.
        reason: Why, in words; empty where it was delivered.
    """

    outcome: Outcome
    reason: str = ""
