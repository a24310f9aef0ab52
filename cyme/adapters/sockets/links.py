"""The sockets of one branch: PUB and SUB for what all hear, ROUTER and DEALER for what one does."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from cyme.adapters.sockets.beacon import Beacon, Signature
from cyme.adapters.sockets.bound import Bound
from cyme.adapters.sockets.channel import is_sendable
from cyme.adapters.sockets.curve import Keys
from cyme.adapters.sockets.endpoints import (
    PORT_MAX,
    advertised_host,
    bindable_address,
    endpoint_of,
    parsed,
)
from cyme.adapters.sockets.multicast import Multicast
from cyme.adapters.sockets.traffic import Seldom, Traffic
from cyme.core.ports import Inlet
from cyme.errors import AddressUnavailable

logger = logging.getLogger(__name__)

_WARN_PERIOD_S = 60.0


class ZmqLinks:
    """Fulfils ``cyme.core.ports.Links`` over ZeroMQ and UDP.

    All of it runs on the hub that it is opened on, and is called from there.

    Args:
        bind_host: The host to bind, an address or a name of this machine; empty, ``*``,
            ``0.0.0.0`` and ``::`` are all its addresses.
        port: The port of the ROUTER socket; the PUB socket takes the one after it. With 0 both
            take free ones.
        secret: What the branches of the cluster share.
        cluster: The name of the cluster.
        advertise: The host that others are told; None: the address that is bound.
        beacon: Whether to find others, and to be found, by UDP multicast.

    Attributes:
        traffic: Counts of what was received, sent and refused.
    """

    def __init__(
        self,
        bind_host: str,
        port: int,
        *,
        secret: bytes,
        cluster: str,
        advertise: str | None = None,
        beacon: bool = True,
    ) -> None:
        self._host = bind_host
        self._port = port
        self._keys = Keys.derived(secret, cluster)
        self._cluster = cluster
        self._advertise = advertise
        self._with_beacon = beacon
        self._bound: Bound | None = None
        self._beacon: Beacon | None = None
        self._address = ""
        self._calls_at = self._beats_at = ""
        self._warning = Seldom(_WARN_PERIOD_S)
        self.traffic = Traffic()

    @property
    def calls_at(self) -> str:
        """The endpoint of the ROUTER socket as others reach it; empty before ``open``."""
        return self._calls_at

    @property
    def beats_at(self) -> str:
        """The endpoint of the PUB socket as others reach it; empty before ``open``."""
        return self._beats_at

    def open(self) -> None:
        """Bind the sockets, so that the endpoints are known; nothing is read yet.

        Raises:
            AddressUnavailable: The address cannot be bound, or what others are to be told of it
                is no host; the message says what to do.
        """
        if self._bound is not None:
            return
        if self._port >= PORT_MAX:
            raise AddressUnavailable(
                f"The cluster takes two ports in a row, and {self._port} is the last. Choose a "
                "lower one with --bind."
            )
        self._address = bindable_address(self._host)
        host = self._advertise or advertised_host(self._address)
        if parsed(endpoint_of(host, PORT_MAX)) is None:
            raise AddressUnavailable(
                f"{host!r} is not a host that other branches could connect to. Name the address, "
                "or the name, under which they reach this machine with --advertise."
            )
        self._bound = Bound(self._address, self._port, keys=self._keys, traffic=self.traffic)
        self._calls_at, self._beats_at = (endpoint_of(host, port) for port in self._bound.ports)
        logger.info("the cluster %s reaches this branch at %s", self._cluster, self._calls_at)

    def start(self, inlet: Inlet) -> None:
        """Begin to read, and to announce this branch by the beacon; opens it if need be.

        Args:
            inlet: Who takes in what arrives.

        Raises:
            AddressUnavailable: As ``open``.
        """
        self.open()
        assert self._bound is not None, "it is open"
        self._bound.start(inlet)
        if self._with_beacon:
            self._beacon = Beacon(
                Multicast(self._address),
                Signature(self._keys, self._cluster),
                endpoint=self._calls_at,
                found=inlet.on_found,
                traffic=self.traffic,
            )
            self._beacon.start()

    def stop(self, timeout_s: float) -> None:
        """Close all sockets; what waits to be sent has that long to go, in seconds."""
        if self._beacon is not None:
            self._beacon.stop()
            self._beacon = None
        if self._bound is not None:
            bound, self._bound = self._bound, None
            bound.stop(timeout_s)

    def publish(self, frames: Sequence[bytes]) -> None:
        """Publish a message to all who listen."""
        if self._bound is None or not self._is_sendable(frames) or not self._bound.publish(frames):
            self.traffic.dropped += 1

    def send(self, endpoint: str, frames: Sequence[bytes]) -> None:
        """Send a message to the ROUTER socket at an endpoint.

        It waits for the connection up to ``dealers.WAIT_S``.
        """
        if self._bound is None or not self._is_sendable(frames):
            self.traffic.dropped += 1
        else:
            self._bound.send(endpoint, frames)

    def reply(self, link: bytes, frames: Sequence[bytes]) -> None:
        """Send a message back by the connection that one came by; if that is gone, do nothing."""
        if self._bound is None or not self._is_sendable(frames):
            self.traffic.dropped += 1
        else:
            self._bound.reply(link, frames)

    def listen(self, endpoints: Collection[str]) -> None:
        """Listen to the PUB sockets at these endpoints, and to no others."""
        if self._bound is not None:
            self._bound.listen(endpoints)

    def _is_sendable(self, frames: Sequence[bytes]) -> bool:
        """Tell whether a peer would take a message; it would close the connection otherwise."""
        if is_sendable(frames):
            return True
        if self._warning.due():
            logger.error(
                "a message of %d frames and %d bytes is too large for others, and was not sent",
                len(frames),
                sum(map(len, frames)),
            )
        return False
