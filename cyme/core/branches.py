"""What is known of a branch: a plain value."""

from __future__ import annotations

from collections.abc import Mapping
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
        labels: Its labels, sorted pairs of key and value.
        drained: Whether it takes no instances (any more).
        address: The endpoint where other branches reach it, or None if it is in no cluster.
        boot: How often it was started.
        incarnation: How often it has spoken of itself since its start.
        since: Since when its state is what it is, seconds since 1970 UTC.
        heard_s: Seconds since anything was heard of it; 0 for this branch itself.
        accused_by: Who says that it is suspect or failed, or None.
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
    labels: tuple[tuple[str, str], ...] = ()
    drained: bool = False
    address: str | None = None
    boot: int = 1
    incarnation: int = 0
    since: float = 0.0
    heard_s: float = 0.0
    accused_by: BranchId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchVitals:
    """How a branch does at this moment, as only itself can tell.

    Attributes:
        load: The average number of processes that want a processor, over a minute.
        hub_lag_s: By how much its hub was late lately.
        instances: How many instances it owns.
        as_of: When it told, seconds since 1970 UTC.
        memory_bytes: The resident memory of its own process, without its workers.
    """

    load: float
    hub_lag_s: float
    instances: int
    as_of: float
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """The cluster as one branch sees it.

    Attributes:
        name: The cluster's name.
        branch: Who sees it.
        digest: Of all that this branch knows, 16 hexadecimal digits; branches that know the
            same have the same.
        fenced: Whether this branch may not act, as it does not know yet what it owns.
        branches: All that are known, sorted by id.
        epochs: For each branch the sum of the epochs of the instances that it owns.
    """

    name: str
    branch: BranchId
    digest: str
    fenced: bool
    branches: tuple[BranchInfo, ...]
    epochs: Mapping[BranchId, int]
