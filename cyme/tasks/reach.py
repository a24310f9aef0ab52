"""Which addresses a worker may connect to for those who queue URLs."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass

#: What may be reached beside public addresses: networks (CIDR), names of hosts, ``private``,
#: ``loopback``, ``any``; separated by commas.
ALLOW_VARIABLE = "CYME_WEBHOOK_ALLOW"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


WORDS = {
    "private": _networks(
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"
    ),
    "loopback": _networks("127.0.0.0/8", "::1/128"),
}
#: Link-local addresses and those where clouds hand out credentials: a network of its own or
#: ``any`` must allow them, no other word and no name does.
GUARDED = _networks(
    "169.254.0.0/16",
    "fe80::/10",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
)
#: What the module ``ipaddress`` of some Python versions holds to be globally routable and is not:
#: special purposes of the IANA registries, and all of IPv6 that is not global unicast.
NOT_GLOBAL = _networks("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
#: IPv4 addresses are embedded in the last 32 bits of these (RFC 4291, RFC 6052).
EMBEDDING = _networks("::/96", "::ffff:0:0/96", "64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Reach:
    """What webhooks of this worker may reach beside public addresses."""

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    @classmethod
    def of_environment(cls) -> Reach:
        """Return what the environment allows."""
        return cls.read(os.environ.get(ALLOW_VARIABLE, ""))

    @classmethod
    def read(cls, text: str) -> Reach:
        """Read a list separated by commas; what is neither word nor network is a name."""
        networks: list[Network] = []
        names, words = set(), set()
        for item in filter(None, (part.strip().lower() for part in text.split(","))):
            if item == "any" or item in WORDS:
                words.add(item)
                continue
            try:
                networks.append(ipaddress.ip_network(item.strip("[]"), strict=False))
            except ValueError:
                names.add(item.rstrip("."))
        return cls(tuple(networks), frozenset(names), frozenset(words))

    def permits(self, text: str, host: str) -> bool:
        """Tell whether a connection may be made.

        Args:
            text: The address, as the resolver gave it.
            host: The name that it was the answer to.
        """
        address = ipaddress.ip_address(text)
        return self._names(address) or self._permits(_embedded(address) or address, host)

    def _names(self, address: Address) -> bool:
        return "any" in self.words or any(address in network for network in self.networks)

    def _permits(self, address: Address, host: str) -> bool:
        if self._names(address):
            return True
        if any(address in network for network in GUARDED):
            return False
        if host.lower().rstrip(".") in self.names:
            return True
        if any(address in network for word in self.words for network in WORDS[word]):
            return True
        return _is_public(address)


def _embedded(address: Address) -> Address | None:
    """Return the IPv4 address that a packet to an IPv6 address ends up at, if it is such one."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address.sixtofour is not None:
        return address.sixtofour
    is_own = address.is_unspecified or address.is_loopback
    if not is_own and any(address in network for network in EMBEDDING):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    if any(address in network for network in NOT_GLOBAL):
        return False
    return address.is_global and not address.is_multicast
