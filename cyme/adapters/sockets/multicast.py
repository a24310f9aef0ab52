"""UDP multicast on the interfaces of a bound address."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
from gevent import socket as green

from cyme.adapters.sockets.endpoints import EVERYWHERE, is_loopback

#: Of the ranges for use within an organisation (RFC 2365) and on a link (RFC 4291).
GROUP = "239.255.99.121"
GROUP_IPV6 = "ff02::6379:6d65"
PORT = 9921

DATAGRAM_BYTES_MAX = 512
PLACES_MAX = 64

#: Datagrams never leave the link.
_HOPS = 1

# Linux hands a socket the multicast of all memberships of the machine, unless told not to
# (ip(7), ipv6(7)); the module lacks the names.
_IP_MULTICAST_ALL = 49
_IPV6_MULTICAST_ALL = 29

_ALREADY_MEMBER = errno.EADDRINUSE


@dataclass(frozen=True, slots=True)
class Place:
    """An interface to speak and to listen on.

    Attributes:
        family: ``AF_INET`` or ``AF_INET6``.
        address: The address of the interface.
        index: The number of the interface; 0 for IPv4, which goes by the address.
    """

    family: socket.AddressFamily
    address: str
    index: int = 0


def places(bound: str) -> set[Place]:
    """Return where a branch bound at a numeric address, or everywhere, is to be found."""
    if is_loopback(bound):
        # IPv6 has no multicast on the loopback interface.
        return {Place(socket.AF_INET, "127.0.0.1")}
    found = set()
    for interface, entries in psutil.net_if_addrs().items():
        for entry in entries:
            address = entry.address.partition("%")[0]
            place = _place(interface, entry.family, address)
            if place is not None and _belongs(place, bound):
                found.add(place)
    return set(sorted(found, key=lambda place: place.address)[:PLACES_MAX])


def _place(interface: str, family: int, address: str) -> Place | None:
    if family == socket.AF_INET:
        return Place(socket.AF_INET, address)
    if family == socket.AF_INET6 and not is_loopback(address):
        return Place(socket.AF_INET6, address, socket.if_nametoindex(interface))
    return None


def _belongs(place: Place, bound: str) -> bool:
    if bound in EVERYWHERE:
        return bound == "::" or place.family == socket.AF_INET
    return place.address == bound


class Multicast:
    """Sends datagrams to a group and receives those of others.

    Args:
        bound: The address of the branch, numeric; an empty one is everywhere.
        port: The port of the group.
    """

    def __init__(self, bound: str, port: int = PORT) -> None:
        self._bound = bound
        self._port = port
        self._places: set[Place] = set()
        self._sockets: dict[socket.AddressFamily, socket.socket] = {}

    def refresh(self) -> None:
        """Take note of interfaces that came or went."""
        present = places(self._bound)
        self._places &= present
        for place in present - self._places:
            try:
                self._enter(place)
            except OSError:
                continue  # it is tried again the next time
            self._places.add(place)

    def send(self, datagram: bytes) -> int:
        """Send a datagram everywhere; return in how many places it was taken."""
        return sum(self._send(place, datagram) for place in self._places)

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The sockets to receive from."""
        return list(self._sockets.values())

    def close(self) -> None:
        """Close all sockets."""
        for udp in self._sockets.values():
            udp.close()
        self._sockets.clear()
        self._places.clear()

    def _send(self, place: Place, datagram: bytes) -> bool:
        udp = self._sockets[place.family]
        try:
            if place.family == socket.AF_INET:
                interface = socket.inet_aton(place.address)
                udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
                udp.sendto(datagram, (GROUP, self._port))
            else:
                udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, place.index)
                udp.sendto(datagram, (GROUP_IPV6, self._port, 0, place.index))
        except OSError:
            return False
        return True

    def _enter(self, place: Place) -> None:
        """Join the group at a place."""
        if place.family not in self._sockets:
            self._sockets[place.family] = _opened(place.family, self._port)
        udp = self._sockets[place.family]
        if place.family == socket.AF_INET:
            group = socket.inet_aton(GROUP) + socket.inet_aton(place.address)
            level, option = socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP
        else:
            group = socket.inet_pton(place.family, GROUP_IPV6) + struct.pack("@I", place.index)
            level, option = socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP
        try:
            udp.setsockopt(level, option, group)
        except OSError as exc:
            # Several addresses of one interface are one membership.
            if exc.errno != _ALREADY_MEMBER:
                raise


def _opened(family: socket.AddressFamily, port: int) -> socket.socket:
    """Return a socket on the port of the group, which many processes share."""
    udp: socket.socket = green.socket(family, socket.SOCK_DGRAM)
    try:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        linux = sys.platform == "linux"
        if not linux:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET:
            if linux:
                udp.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _HOPS)
            udp.bind((GROUP, port))
        else:
            if linux:
                udp.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
            udp.bind(("::", port))
    except OSError:
        udp.close()
        raise
    return udp
