"""What the parts of a branch count of themselves, for ``/metrics``: read, never asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cyme.core.collectors import broker_key
from cyme.core.histogram import Histogram
from cyme.core.model import Broker

#: Upper ends of the durations of a pass of the supervisor, in seconds.
PASS_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerMeasures:
    """What is counted of one broker.

    Attributes:
        is_up: Whether it answered last; None before the first attempt.
        surveys: How often its workers were asked, all or some.
        failures: How often it did not answer then.
    """

    is_up: bool | None
    surveys: int
    failures: int

    def __add__(self, other: BrokerMeasures) -> BrokerMeasures:
        """Return what is counted of one broker by two logins: it is up if it takes one of them."""
        seen = {self.is_up, other.is_up}
        return BrokerMeasures(
            is_up=True in seen if seen != {None} else None,
            surveys=self.surveys + other.surveys,
            failures=self.failures + other.failures,
        )


def by_broker(counted: Iterable[tuple[Broker, BrokerMeasures]]) -> Mapping[str, BrokerMeasures]:
    """Return what is counted of every broker by all its logins, by the broker's key."""
    found: dict[str, BrokerMeasures] = {}
    for broker, each in counted:
        key = broker_key(broker)
        found[key] = found[key] + each if key in found else each
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseMeasures:
    """What is counted of the database.

    Attributes:
        is_well: Whether it takes writes.
        waiting: Writes that wait.
        writes: Writes that were done.
        commits: In how many commits.
        busy_s: How long those took together, in seconds.
    """

    is_well: bool = True
    waiting: int = 0
    writes: int = 0
    commits: int = 0
    busy_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchMeasures:
    """What the parts of a branch count.

    Attributes:
        restarts: How often a worker was started again.
        passes: How long the passes of the supervisor took.
        brokers: Each broker in use, by its key, which holds no secret.
        database: The database.
        sockets: What passed the sockets of the cluster and what did not, by what it is.
        faults: Messages of others that were dropped as they were not of the protocol.
    """

    restarts: int = 0
    passes: Histogram = field(default_factory=lambda: Histogram(PASS_BOUNDS_S))
    brokers: Mapping[str, BrokerMeasures] = field(default_factory=dict)
    database: DatabaseMeasures = field(default_factory=DatabaseMeasures)
    sockets: Mapping[str, int] = field(default_factory=dict)
    faults: int = 0
