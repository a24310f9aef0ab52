"""Servers that a test starts, kills, and takes the ports of."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

from cyme.adapters.embedded_broker import EmbeddedBroker, EmbeddedService
from tests.waiting import eventually

MakeBroker = Callable[..., EmbeddedBroker]

TIMEOUT_S = 10.0


def ensured(embedded: EmbeddedBroker) -> EmbeddedService:
    """Return the server that runs now, whoever started it."""
    service = embedded.ensure(TIMEOUT_S)
    assert service is not None
    return service


def kill(service: EmbeddedService) -> None:
    """End a server without warning."""
    os.kill(service.pid, signal.SIGKILL)


def listen(port: int) -> socket.socket:
    """Take the port as soon as the dead server has let go of it."""

    def attempt() -> socket.socket | None:
        taker = socket.socket()
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taker.bind(("127.0.0.1", port))
        except OSError:
            taker.close()
            return None
        taker.listen()
        return taker

    taker = eventually(attempt)
    assert taker is not None
    return taker
