"""A simulator of clusters: the real core in virtual time, over a network that is made of faults.

``cyme.core.cluster.node.Node`` is driven as ``cyme.runtime.cluster`` drives it, hundreds of times
over in one process; disks, workers, the broker and the supervisor are toys that fail as the real
ones do. What goes wrong is a function of the seed, so a seed is a bug that anybody can replay::

    python -m cyme.testing --seed 17 --branches 5

* ``timeline``, ``network``, ``disk``, ``workers``: what a cluster stands on;
* ``life``, ``supervisor``, ``service``: one branch;
* ``world``: all of them, and what may happen to them;
* ``faults``: what happens by a seed;
* ``watch``, ``orphans``: what must hold at every step; ``quiescence``: what must hold in the end;
* ``run``: a seed from its beginning to its verdict.
"""

from cyme.testing.simulation.faults import DEEDS, FAULTS, Event
from cyme.testing.simulation.network import Weather, one_way, split
from cyme.testing.simulation.run import Verdict, branches_of, events_of, shrink, simulate
from cyme.testing.simulation.transcript import Transcript
from cyme.testing.simulation.watch import Violation
from cyme.testing.simulation.world import HASTY, World

__all__ = [
    "DEEDS",
    "FAULTS",
    "HASTY",
    "Event",
    "Transcript",
    "Verdict",
    "Violation",
    "Weather",
    "World",
    "branches_of",
    "events_of",
    "one_way",
    "shrink",
    "simulate",
    "split",
]
