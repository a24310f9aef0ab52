"""What the parts of a branch count of themselves, put together."""

from __future__ import annotations

from cyme.adapters.database import Database
from cyme.programs.clustering import Clustering
from cyme.runtime.brokers import Brokers
from cyme.runtime.supervisor import Supervisor
from cyme.runtime.telemetry.measures import BranchMeasures, DatabaseMeasures


def measures_of(
    *, supervisor: Supervisor, brokers: Brokers, database: Database, cluster: Clustering
) -> BranchMeasures:
    """Return what the parts of a branch count."""
    writes, commits = database.writes_and_groups
    waiting, busy_s = database.waiting_and_busy_s
    return BranchMeasures(
        restarts=supervisor.restarts,
        passes=supervisor.passes,
        brokers=brokers.measures(),
        database=DatabaseMeasures(
            is_well=database.healthy(),
            waiting=waiting,
            writes=writes,
            commits=commits,
            busy_s=busy_s,
        ),
        sockets=cluster.sockets(),
        faults=cluster.faults(),
    )
