"""What is known of a branch: a plain value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cyme.core.model import BranchId

#: How many instances one branch runs at most, unless its settings say otherwise.
INSTANCES_MAX = 1000


class BranchState(StrEnum):
    """What the other branches hold a branch to be."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    FAILED = "failed"
    LEAVING = "leaving"
    LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchInfo:
    """A branch as everybody may see it.

    Attributes:
        id: Its name in the cluster.
        state: Whether it is there.
        url: Where its HTTP API answers, or None if it serves none.
        port: The port of that, or None.
        loglevel: What it logs: ``DEBUG``, ``INFO``, ...
        logfile: Where it logs to, or None for its standard error.
        numc: The value of ``--numc``, kept for the reference.
        sup_interval_s: Seconds between two passes of its supervisor.
        instances_max: How many instances it runs at most.
        version: The version of Cyme that it runs.
    """

    id: BranchId
    state: BranchState = BranchState.ALIVE
    url: str | None = None
    port: int | None = None
    loglevel: str = "INFO"
    logfile: str | None = None
    numc: int = 2
    sup_interval_s: float = 60.0
    instances_max: int = INSTANCES_MAX
    version: str = ""
