"""The embedded broker: one Valkey server a user, machine and cluster, shared by its branches.

It makes Cyme work from one ``pip install``. It is not meant for production: it answers on
loopback only, and up to a second of acknowledged messages can be lost with the power.
"""

from cyme.adapters.embedded_broker.broker import EmbeddedBroker
from cyme.adapters.embedded_broker.program import find_program
from cyme.adapters.embedded_broker.service import EmbeddedService, EmbeddedState, EmbeddedStatus

__all__ = [
    "EmbeddedBroker",
    "EmbeddedService",
    "EmbeddedState",
    "EmbeddedStatus",
    "find_program",
]
