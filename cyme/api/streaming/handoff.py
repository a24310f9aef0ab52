"""How a connection leaves the WSGI server: its reply goes on, and no greenlet waits for that.

A responder answers with a ``Handoff`` in place of a body. The server writes the reply's head, gives
the socket away and forgets the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


class Handoff:
    """A reply whose body is written elsewhere, for as long as it takes.

    Args:
        first: What its body begins with.
        take: Takes the socket over, and writes what follows.
        give_up: Called if nobody comes to take it.
    """

    def __init__(
        self, first: bytes, *, take: Callable[[Any], None], give_up: Callable[[], None]
    ) -> None:
        self._first = first
        self._take = take
        self._give_up = give_up
        self._is_settled = False

    def __iter__(self) -> Iterator[bytes]:
        """Return the beginning alone, to a server that knows nothing of this."""
        return iter((self._first,))

    def to(self, sock: Any) -> None:
        """Give the socket away, behind the head of the reply.

        Args:
            sock: The connection, plain or TLS.
        """
        self._is_settled = True
        self._take(sock)

    def close(self) -> None:
        """End it; WSGI servers call this behind every reply."""
        if not self._is_settled:
            self._is_settled = True
            self._give_up()
