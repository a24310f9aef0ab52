"""How a cluster does at one moment, for a screen."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cyme.cli.reading import queues_in
from cyme.client.errors import NotFound

if TYPE_CHECKING:
    from cyme.cli.session import Session
    from cyme.cli.text.tables import Row


@dataclass(frozen=True, slots=True)
class Figures:
    """How a cluster does at one moment.

    Attributes:
        cluster: Its name.
        branch: The branch that told it.
        branches: The branches, each with its load.
        instances: The instances, each with what it uses under ``vitals``.
        queues: The queues, each with depth, rates and its trouble.
        tasks: Rates and totals of tasks.
        alerts: What somebody should look at.
        at: When, in seconds of the system's clock.
    """

    cluster: str
    branch: str
    branches: Sequence[Row]
    instances: Sequence[Row]
    queues: Sequence[Row]
    tasks: Mapping[str, Any] = field(default_factory=dict)
    alerts: Sequence[Row] = ()
    at: float = 0.0


def look(session: Session) -> Figures:
    """Ask how the cluster does.

    Raises:
        ClientError: No branch says.
    """
    app = session.app
    cluster = session.get("cluster")
    instances = session.get(*((app,) if app else ()), "instances", details=True)
    branches = session.get("branches", details=True)
    try:
        vitals: Mapping[str, Any] = session.get("cluster", "vitals")
    except NotFound:
        vitals = {}
    used = vitals.get("instances", {})
    loads = vitals.get("branches", {})
    queues = [row for row in queues_in(vitals) if not app or row.get("app") == app]
    return Figures(
        cluster=str(cluster.get("name")),
        branch=str(cluster.get("branch")),
        branches=[{**row, "vitals": loads.get(row["id"], {})} for row in branches],
        instances=[{**row, "vitals": used.get(row["name"], {})} for row in instances],
        queues=queues,
        tasks=vitals.get("tasks", {}),
        alerts=vitals.get("alerts", []),
        at=time.time(),
    )
