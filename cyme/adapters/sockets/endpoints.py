"""Endpoints: ``tcp://host:port``, where host is a name, an IPv4 or a bracketed IPv6 address."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence

from cyme.errors import AddressUnavailable

ENDPOINT_CHARS_MAX = 255
PORT_MAX = 65_535

#: Addresses that stand for all of this machine's; nobody can be told one of them.
EVERYWHERE = frozenset({"", "*", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound

_PREFIX = "tcp://"
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?", re.ASCII)

# Of the networks kept for documentation (RFC 5737, RFC 3849): no route but the default one
# leads there. Nothing is sent.
_ELSEWHERE = ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1"))


def endpoint_of(host: str, port: int) -> str:
    """Return the endpoint of a host and a port."""
    return f"{_PREFIX}[{host}]:{port}" if ":" in host else f"{_PREFIX}{host}:{port}"


def parsed(endpoint: str) -> tuple[str, int] | None:
    """Return host and port of an endpoint, None if it is not one that may be connected to.

    Endpoints come from other branches, and ZeroMQ knows transports besides TCP, and more in an
    address than a host.
    """
    if len(endpoint) > ENDPOINT_CHARS_MAX or not endpoint.startswith(_PREFIX):
        return None
    host, _, port = endpoint[len(_PREFIX) :].rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= PORT_MAX):
        return None
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        return (host, int(port)) if ":" in host and is_address(host) else None
    return (host, int(port)) if _HOST_NAME.fullmatch(host) else None


def is_address(host: str) -> bool:
    """Tell whether a host is a numeric address, which needs no looking up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Tell whether an address, or the name ``localhost``, is of the loopback network."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def bindable_address(host: str) -> str:
    """Return the numeric address of a host of this machine.

    Raises:
        AddressUnavailable: There is none.
    """
    if host in EVERYWHERE:
        return "::" if host == "::" else "0.0.0.0"  # noqa: S104 - the user asks for it
    if is_address(host):
        return host
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise AddressUnavailable(
            f"{host!r} is not the name of an address; name one of this machine."
        ) from exc
    # A name of both kinds, as localhost often is, means what more can reach.
    return min((str(answer[4][0]) for answer in answers), key=lambda address: ":" in address)


def advertised_host(bound: str) -> str:
    """Return the host that others are told of a socket bound at ``bound``.

    Where it is bound everywhere, that is the address that the default route leaves from, or
    the machine's name if there is no such route.
    """
    if bound not in EVERYWHERE:
        return bound
    families: Sequence[tuple[socket.AddressFamily, str]] = _ELSEWHERE
    for family, elsewhere in families:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return socket.gethostname()
