"""Where the embedded broker is to be met: its port and its password."""

from __future__ import annotations

import random
import secrets
import socket
from pathlib import Path

import msgspec

from cyme.errors import EmbeddedBrokerFailed

HOST = "127.0.0.1"
BROKER_DATABASE = 0
RESULTS_DATABASE = 1

#: Ports to choose from. They lie under the range that kernels hand to outgoing connections: a
#: client that retries a dead port of that range can end up connected to itself, which keeps
#: the port from the server that should come back to it.
PORTS = range(21000, 25000)
PORTS_TRIED_MAX = 64
#: So many former places are remembered.
FORMER_MAX = 8


class Rendezvous(msgspec.Struct, frozen=True):
    """Where the server is met, whether or not it runs; kept in ``broker.json``.

    Attributes:
        port: Its port on loopback.
        password: What it asks of its clients.
        program: The program that was last started.
        former: URLs by which it was reached before it had to move, oldest first.
    """

    port: int
    password: str
    program: str
    former: tuple[str, ...] = ()

    def url(self, database: int) -> str:
        """Return the URL of one of its databases, password included."""
        return f"redis://:{self.password}@{HOST}:{self.port}/{database}"

    def moved(self) -> Rendezvous:
        """Return another place for the server.

        The password changes with the port: whoever took the port has been sent the old one by
        every worker that tried to reconnect.

        Raises:
            EmbeddedBrokerFailed: No port is free.
        """
        return msgspec.structs.replace(
            self,
            port=_free_port(),
            password=secrets.token_urlsafe(32),
            former=(*self.former, self.url(BROKER_DATABASE))[-FORMER_MAX:],
        )

    def __repr__(self) -> str:
        return f"Rendezvous(port={self.port}, program={self.program!r})"


def new_rendezvous(program: Path) -> Rendezvous:
    """Return a first place for a server.

    Raises:
        EmbeddedBrokerFailed: No port is free.
    """
    return Rendezvous(_free_port(), secrets.token_urlsafe(32), str(program))


def is_free(port: int) -> bool:
    """Whether a server can listen on the port."""
    with socket.socket() as probe:
        # As the server does it: a port that only its own old connections hold is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    for port in random.SystemRandom().sample(PORTS, PORTS_TRIED_MAX):
        if is_free(port):
            return port
    raise EmbeddedBrokerFailed(
        f"No port from {PORTS.start} to {PORTS.stop - 1} seems free for the embedded broker on "
        f"{HOST}. Name a broker by its URL instead."
    )
