"""The SUB socket: it listens to the PUB sockets of some branches."""

from __future__ import annotations

from collections.abc import Collection

import zmq

from cyme.adapters.sockets.addresses import Addresses
from cyme.adapters.sockets.channel import Channel, Take
from cyme.adapters.sockets.curve import Keys
from cyme.adapters.sockets.options import Context, connect, new_socket
from cyme.adapters.sockets.traffic import Traffic

#: So many branches are listened to at most.
ENDPOINTS_MAX = 256


class Listener:
    """Listens where it is told to, and nowhere else.

    Args:
        context: Of the socket.
        keys: Those of the cluster.
        addresses: Knows where endpoints are.
        take: Takes messages in.
        traffic: Where messages are counted.
    """

    def __init__(
        self,
        context: Context,
        keys: Keys,
        addresses: Addresses,
        take: Take,
        traffic: Traffic,
    ) -> None:
        self._addresses = addresses
        self._socket = new_socket(context, zmq.SUB)
        keys.secure_client(self._socket)
        self._socket.subscribe(b"")
        self._channel = Channel(self._socket, take, traffic=traffic, name="SUB")
        self._endpoints: frozenset[str] = frozenset()
        self._targets: set[str] = set()

    def start(self) -> None:
        """Begin to read."""
        self._channel.start()

    def listen(self, endpoints: Collection[str]) -> None:
        """Listen to these endpoints and to no others; those beyond the maximum are left out."""
        self._endpoints = frozenset(sorted(endpoints)[:ENDPOINTS_MAX])
        self.aim()

    def aim(self) -> None:
        """Connect to where the endpoints are now."""
        found = map(self._addresses.of, self._endpoints)
        wanted = {target for target in found if target is not None}
        for target in self._targets - wanted:
            self._socket.disconnect(target)
            self._targets.remove(target)
        for target in wanted - self._targets:
            connect(self._socket, target)
            self._targets.add(target)

    def close(self) -> None:
        """Close the socket."""
        self._channel.close()

    def join(self, timeout_s: float) -> None:
        """Wait for the greenlet to end."""
        self._channel.join(timeout_s)
