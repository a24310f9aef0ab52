"""Ports: what the runtime needs of the world, as protocols that the adapters fulfil.

Every method that waits has a deadline, given in seconds, and raises an error of
``cyme.errors``; none lets a foreign exception through. A method may switch greenlets but never
blocks the process.
"""

from cyme.core.ports.brokers import Control, Controls, QueueProbe, QueueProbes
from cyme.core.ports.clock import Clock
from cyme.core.ports.cluster import Inlet, Links, Members
from cyme.core.ports.keeping import EventLog, Store, TokenKeeping
from cyme.core.ports.tasks import EventListener, EventListeners, EventSink, TaskGateway
from cyme.core.ports.workers import Machine, WorkerLogs, Workers

__all__ = [
    "Clock",
    "Control",
    "Controls",
    "EventListener",
    "EventListeners",
    "EventLog",
    "EventSink",
    "Inlet",
    "Links",
    "Machine",
    "Members",
    "QueueProbe",
    "QueueProbes",
    "Store",
    "TaskGateway",
    "TokenKeeping",
    "WorkerLogs",
    "Workers",
]
