from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest

from cyme.adapters.sockets import ZmqLinks
from tests.adapters.sockets.ground import SECRET, Branch, Branches, RawPeer


@pytest.fixture
def cluster() -> str:
    """Return the name of a cluster that no other test has."""
    return f"test-{secrets.token_hex(8)}"


@pytest.fixture
def branches(cluster: str) -> Iterator[Branches]:
    """Return what opens the sockets of a branch; all are closed in the end."""
    opened: list[Branch] = []

    def start(
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        secret: bytes = SECRET,
        cluster: str = cluster,
        advertise: str | None = None,
        beacon: bool = False,
    ) -> Branch:
        links = ZmqLinks(
            host, port, secret=secret, cluster=cluster, advertise=advertise, beacon=beacon
        )
        branch = Branch(links)
        opened.append(branch)
        links.start(branch.inlet)
        return branch

    yield start
    for branch in opened:
        branch.links.stop(0.0)


@pytest.fixture
def raw_peers() -> Iterator[Callable[..., RawPeer]]:
    """Return what opens a socket of somebody else; all are closed in the end."""
    opened: list[RawPeer] = []

    def make(kind: int, endpoint: str, *, routing_id: bytes = b"") -> RawPeer:
        opened.append(RawPeer(kind, endpoint, routing_id=routing_id))
        return opened[-1]

    yield make
    for peer in opened:
        peer.close()
