"""Declarations of queues, as brokers and workers take them."""

from __future__ import annotations

import json
import struct
from typing import Any

from amqp.exceptions import AMQPError
from kombu import Queue as Declaration
from kombu.exceptions import KombuError

from cyme.core.model import Queue
from cyme.errors import BrokerRefused

#: AMQP's replies to a declaration that will not be taken another time either: access refused, no
#: such exchange, locked, other arguments, unknown exchange type, not allowed, not implemented.
_REFUSALS = frozenset({403, 404, 405, 406, 503, 530, 540})

#: What a declaration can fail with: the broker's refusal, and values that cannot be written.
_ERRORS = (
    AMQPError,
    ArithmeticError,
    KombuError,
    LookupError,
    TypeError,
    ValueError,
    struct.error,
)


def declared(queue: Queue) -> dict[str, object]:
    """Return a declaration as ``kombu.Queue.from_dict`` and ``add_consumer`` take it."""
    options = json.loads(queue.options) if queue.options else {}
    return {
        **options,
        "exchange": queue.exchange or queue.name,
        "exchange_type": queue.exchange_type or "direct",
        "routing_key": queue.routing_key or queue.name,
    }


def declaration_of(queue: Queue) -> Declaration:
    """Return a queue as a worker declares it.

    Raises:
        BrokerRefused: An option has a value that no broker could take.
    """
    try:
        return Declaration.from_dict(queue.name, **declared(queue))
    except (TypeError, ValueError) as exc:
        raise _refused(queue.name, exc) from exc


def declare(queue: Declaration, channel: Any) -> None:
    """Declare a queue, its exchange and its binding on the broker.

    Raises:
        BrokerRefused: The broker will not have it, now or later.
    """
    try:
        queue(channel).declare()
    except KeyError as exc:
        # Where kombu itself plays the broker, it looks the type up.
        raise _refused(queue.name, f"there is no exchange type {exc}") from exc
    except _ERRORS as exc:
        if isinstance(exc, AMQPError) and exc.code not in _REFUSALS:
            raise
        raise _refused(queue.name, exc) from exc


def _refused(name: str, reason: object) -> BrokerRefused:
    return BrokerRefused(
        f"The broker does not accept the declaration of the queue {name!r}: {reason}. "
        "Change its exchange, exchange_type or options, or delete what stands in its way."
    )
