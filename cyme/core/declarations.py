"""Whether the declaration of a queue can be accepted.

A worker that is told of a bad declaration says yes and dies of it, so all that can be known
beforehand is checked here. The options are those of ``kombu.compat.entry_to_queue``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from cyme.core.worker_options import suggestion
from cyme.errors import Fault, InvalidRequest

#: Bytes of a short string of AMQP 0-9-1: names of exchanges, routing keys.
SHORT_STRING_BYTES_MAX = 255

#: Characters of the options' JSON at most.
OPTIONS_CHARS_MAX = 16_384

#: Exchange types that every broker of Kombu knows, or RabbitMQ with its plugins.
EXCHANGE_TYPES = ("direct", "fanout", "headers", "topic")

#: Exchange types of RabbitMQ's plugins begin so.
PLUGIN_EXCHANGE_PREFIX = "x-"

_BOOLEANS = frozenset(
    {
        "auto_delete",
        "durable",
        "exchange_auto_delete",
        "exchange_durable",
        "exclusive",
        "no_ack",
        "queue_auto_delete",
        "queue_durable",
    }
)
#: Seconds and counts at most: a broker counts in milliseconds of 32 bits, and in 64 bits.
_SECONDS_MAX = 4_294_967
_COUNT_MAX = 2**63 - 1
_DURATIONS = frozenset({"expires", "message_ttl"})
_COUNTS = {"max_length": _COUNT_MAX, "max_length_bytes": _COUNT_MAX, "max_priority": 255}
_MAPS = frozenset(
    {"binding_arguments", "consumer_arguments", "exchange_arguments", "queue_arguments"}
)
_OTHERS = frozenset({"binding_key", "delivery_mode"})
OPTIONS = _BOOLEANS | _DURATIONS | _COUNTS.keys() | _MAPS | _OTHERS

#: Maps and lists within a map of arguments, each in the other.
_DEPTH_MAX = 8

#: Options that are parameters of their own.
_PARAMETERS = frozenset({"exchange", "exchange_type", "routing_key", "name"})


def checked_declaration(
    *,
    exchange: str | None,
    exchange_type: str | None,
    routing_key: str | None,
    options: str | None,
) -> str | None:
    """Check the parameters of a queue declaration.

    Args:
        exchange: Name of the exchange, None for the queue's name.
        exchange_type: ``direct``, ``fanout``, ``headers``, ``topic`` or ``x-...``.
        routing_key: What the queue is bound by, None for the queue's name.
        options: A JSON map of further options.

    Returns:
        The options written in one way, or None if there are none.

    Raises:
        InvalidRequest: With one fault for each bad parameter.
    """
    faults = []
    normal = None
    for parameter, value in (("exchange", exchange), ("routing_key", routing_key)):
        if value is not None and (fault := _short_string_fault(value)):
            faults.append(Fault(parameter, fault))
    if exchange is not None and exchange.startswith("amq."):
        faults.append(Fault("exchange", "names that begin with 'amq.' belong to the broker"))
    if exchange_type is not None and not _is_exchange_type(exchange_type):
        known = ", ".join(EXCHANGE_TYPES)
        detail = f"must be one of {known}, or begin with '{PLUGIN_EXCHANGE_PREFIX}'"
        faults.append(Fault("exchange_type", detail))
    try:
        normal = _normal_options(options)
    except InvalidRequest as exc:
        faults += exc.faults
    if faults:
        told = "; ".join(f"{fault.parameter}: {fault.detail}" for fault in faults)
        raise InvalidRequest(told, faults)
    return normal


def _short_string_fault(value: str) -> str:
    if not value:
        return "is empty; leave it out for the queue's name"
    if not value.isprintable():
        return "holds a control character or a line break"
    if len(value.encode()) > SHORT_STRING_BYTES_MAX:
        return f"has more than {SHORT_STRING_BYTES_MAX} bytes"
    return ""


def _is_exchange_type(name: str) -> bool:
    if name in EXCHANGE_TYPES:
        return True
    return name.startswith(PLUGIN_EXCHANGE_PREFIX) and not _short_string_fault(name)


def _normal_options(text: str | None) -> str | None:
    if text is None:
        return None
    if len(text) > OPTIONS_CHARS_MAX:
        raise _fault(f"has {len(text)} characters; at most {OPTIONS_CHARS_MAX} are allowed")
    try:
        options = json.loads(text, parse_constant=_no_constant)
        normal = json.dumps(options, sort_keys=True, allow_nan=False)
    except (ValueError, RecursionError) as exc:
        raise _fault(f"is not JSON ({exc})") from exc
    if not isinstance(options, dict):
        raise _fault('must be a JSON map such as {"durable": true}')
    for name, value in options.items():
        _check_option(name, value)
    return normal if options else None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _check_option(name: str, value: object) -> None:
    if name in _PARAMETERS:
        raise _fault(f"{name} is a parameter of its own; it does not belong into options")
    if name not in OPTIONS:
        raise _fault(f"{name!r} is not an option of a queue{suggestion(name, OPTIONS)}")
    if name in _BOOLEANS and not isinstance(value, bool):
        raise _fault(f"{name} must be true or false")
    if name in _DURATIONS and not _is_number(value, _SECONDS_MAX):
        raise _fault(f"{name} must be a number of seconds, 0 to {_SECONDS_MAX}")
    if name in _COUNTS and not (isinstance(value, int) and _is_number(value, _COUNTS[name])):
        raise _fault(f"{name} must be a whole number, 0 to {_COUNTS[name]}")
    if name in _MAPS:
        if not isinstance(value, Mapping):
            raise _fault(f"{name} must be a map")
        _check_argument(name, value)
    _check_other(name, value)


def _check_other(name: str, value: object) -> None:
    match name:
        case "binding_key" if not isinstance(value, str) or _short_string_fault(value):
            raise _fault(f"binding_key must be a text of 1 to {SHORT_STRING_BYTES_MAX} bytes")
        case "delivery_mode" if isinstance(value, bool) or value not in (
            1,
            2,
            "transient",
            "persistent",
        ):
            raise _fault("delivery_mode must be 1, 2, 'transient' or 'persistent'")


def _check_argument(name: str, value: object, depth: int = 0) -> None:
    """Check that AMQP can carry a value of a map of arguments, and what is in it."""
    if depth > _DEPTH_MAX:
        raise _fault(f"{name} is nested deeper than {_DEPTH_MAX} levels")
    match value:
        case int() if not -_COUNT_MAX <= value <= _COUNT_MAX:
            raise _fault(f"{name} has a number that does not fit into 64 bits")
        case Mapping():
            for key, item in value.items():
                if not key.isprintable() or len(key.encode()) > SHORT_STRING_BYTES_MAX:
                    raise _fault(f"{name} has a key that is not printable or too long")
                _check_argument(name, item, depth + 1)
        case list():
            for item in value:
                _check_argument(name, item, depth + 1)


def _is_number(value: object, maximum: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= maximum


def _fault(detail: str) -> InvalidRequest:
    return InvalidRequest.of("options", detail)
