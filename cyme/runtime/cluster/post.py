"""Messages on their way out to the sockets, and in from there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cyme.core.cluster.messages import Message
from cyme.core.ports import Links
from cyme.errors import CymeError, ProtocolError
from cyme.runtime.cluster import wire
from cyme.runtime.cluster.seldom import Seldom


class Post:
    """Turns messages into frames and back; what cannot be turned is dropped, and told of.

    Args:
        cluster: The cluster's tag in every frame.
        links: The sockets.
        seldom: Where it is told.

    Attributes:
        faults: Messages that were dropped because they were not of the protocol.
    """

    def __init__(self, cluster: bytes, links: Links, seldom: Seldom) -> None:
        self._cluster = cluster
        self._links = links
        self._seldom = seldom
        self.faults = 0

    def publish(self, message: Message) -> None:
        """Publish a message to all who listen."""
        self._pack_and(self._links.publish, message)

    def send(self, endpoint: str, message: Message) -> None:
        """Send a message to the branch at an endpoint."""
        self._pack_and(lambda frames: self._links.send(endpoint, frames), message)

    def reply(self, link: bytes, message: Message) -> None:
        """Send a message back by the connection that one came by."""
        self._pack_and(lambda frames: self._links.reply(link, frames), message)

    def unpacked(self, frames: Sequence[bytes], *, published: bool) -> Message | None:
        """Return the message that frames hold, None if they hold none."""
        try:
            return wire.unpack(frames, cluster=self._cluster, published=published)
        except ProtocolError as exc:
            self.faults += 1
            self._seldom.warn("a message was dropped", exc.detail)
            return None

    def _pack_and(self, send: Callable[[Sequence[bytes]], None], message: Message) -> None:
        try:
            frames = wire.pack(message, cluster=self._cluster)
        except CymeError as exc:
            self._seldom.warn("a message could not be sent", exc.detail)
            return
        send(frames)
