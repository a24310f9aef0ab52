"""What all adapters that speak to brokers over kombu have in common; they may know this room.

How a connection is made and left, how a call to a broker ends in bounded time and with an error
of ours, and what the declaration of a queue is.
"""

from cyme.adapters.broker_calls.calls import Calls, answering, reason_of, unavailable
from cyme.adapters.broker_calls.connections import (
    AMQP_SCHEMES,
    DROP_S,
    LEAVE_S,
    connect,
    connection_to,
    leave,
    open_channel,
)
from cyme.adapters.broker_calls.declarations import declaration_of, declare, declared

__all__ = [
    "AMQP_SCHEMES",
    "DROP_S",
    "LEAVE_S",
    "Calls",
    "answering",
    "connect",
    "connection_to",
    "declaration_of",
    "declare",
    "declared",
    "leave",
    "open_channel",
    "reason_of",
    "unavailable",
]
