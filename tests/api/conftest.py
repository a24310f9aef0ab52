from __future__ import annotations

from collections.abc import Iterator

import pytest
from falcon import testing

from cyme.api.server import HttpServer
from tests.api.branch import FakeBranch


@pytest.fixture
def branch() -> Iterator[FakeBranch]:
    """A branch over fakes."""
    branch = FakeBranch()
    yield branch
    branch.stop()


@pytest.fixture
def client(branch: FakeBranch) -> testing.TestClient:
    """A client of the branch while it is open."""
    return branch.client


@pytest.fixture
def server(branch: FakeBranch) -> Iterator[HttpServer]:
    """The branch's API on a real port."""
    server = HttpServer(branch.app, ("127.0.0.1", 0))
    server.start()
    yield server
    server.stop(1.0)
