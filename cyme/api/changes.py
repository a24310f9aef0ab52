"""Accepted parameters of an app or an instance, as changes of its record."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cyme.api.values import BrokerFields
from cyme.core.model import MASK, Broker
from cyme.errors import InvalidRequest

_BROKER_FIELDS = ("hostname", "port", "userid", "password", "virtual_host")


def worker_changes(accepted: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes of a ``WorkerSpec``'s fields; what becomes None is reset.

    The five fields of a broker become one. Without ``hostname`` the other four are ignored, as
    the reference has it.

    Args:
        accepted: Parameters by name, of their proper types.

    Raises:
        InvalidRequest: The broker is given twice or is no broker, or a password is masked.
    """
    changes = {name: value for name, value in accepted.items() if name not in _BROKER_FIELDS}
    hostname = accepted.get("hostname")
    if "broker" in accepted:
        if hostname is not None:
            raise InvalidRequest.of("broker", "excludes hostname; give one of them")
        changes["broker"] = _broker(accepted["broker"])
    elif hostname is not None:
        changes["broker"] = _broker_from_fields(accepted)
    elif "hostname" in accepted:
        changes["broker"] = None
    if MASK in (accepted.get("result_backend") or ""):
        raise _masked("result_backend")
    return changes


def _broker(value: str | BrokerFields | None) -> Broker | None:
    match value:
        case None:
            return None
        case str():
            return _checked(Broker(value))
        case BrokerFields(url=None):
            if value.hostname is None:
                raise InvalidRequest.of("broker", "must have a hostname or a url")
            return _broker_from_fields({name: getattr(value, name) for name in _BROKER_FIELDS})
        case BrokerFields(url=str() as url):
            # As replies print it: the password masked in the URL and in full beside it.
            if MASK in url and value.password not in {None, MASK}:
                url = url.replace(MASK, quote(value.password or "", safe=""))
            return _checked(Broker(url))
    raise AssertionError("the type of a broker was checked before")


def _broker_from_fields(fields: Mapping[str, Any]) -> Broker:
    hostname = fields["hostname"]
    if ":" in hostname:
        try:
            ipaddress.IPv6Address(hostname)
        except ValueError:
            raise InvalidRequest.of(
                "hostname", "must not contain the port; give it as port"
            ) from None
    given: dict[str, Any] = {name: fields.get(name) for name in _BROKER_FIELDS}
    return _checked(Broker.from_fields(**given))


def _checked(broker: Broker) -> Broker:
    """Return the broker if its URL can be taken apart and holds its password."""
    try:
        is_masked = (broker.port, broker.password)[1] == MASK
    except ValueError:
        raise InvalidRequest.of("broker", "has a host or a port that is none") from None
    if is_masked:
        raise _masked("broker")
    return broker


def _masked(parameter: str) -> InvalidRequest:
    return InvalidRequest.of(parameter, "has its password masked; send the password itself")
