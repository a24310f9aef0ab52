"""A fleet file: what a cluster is to run, kept as a file, compared with it and applied to it.

    >>> from cyme import Client
    >>> from cyme.client import fleet
    >>> client = Client()
    >>> wanted = fleet.read("fleet.toml", os.environ)
    >>> plan = fleet.plan(fleet.observe(client, wanted), wanted)
    >>> print(plan.text())
    >>> outcome = fleet.apply(client, plan)

Reading and planning are pure; ``observe``, ``apply`` and ``export`` talk to the cluster.
"""

from cyme.client.fleet.changes import Action, Change, FieldChange, Kind, Line, Plan, Prune
from cyme.client.fleet.exporting import Exported, export
from cyme.client.fleet.faults import FleetFault, InvalidFleet
from cyme.client.fleet.file import parse, read
from cyme.client.fleet.model import Fleet, FleetApp
from cyme.client.fleet.observing import observe
from cyme.client.fleet.performing import Failure, Outcome, apply
from cyme.client.fleet.planning import applied, plan

__all__ = [
    "Fleet", "FleetApp", "read", "parse", "observe", "plan", "applied", "apply", "export",
    "Plan", "Change", "FieldChange", "Line", "Action", "Kind", "Prune",
    "Outcome", "Failure", "Exported", "FleetFault", "InvalidFleet",
]  # fmt: skip
