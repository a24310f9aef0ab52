from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from falcon import testing

from cyme.api.server import HttpServer
from tests.api import echo
from tests.api.branch import FakeBranch
from tests.api.streams import Served, serving
from tests.certificates import self_signed


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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def served(branch: FakeBranch) -> Iterator[Served]:
    """A branch that serves streams on a real port."""
    with serving(branch) as served:
        yield served


@pytest.fixture
def echoing() -> Iterator[HttpServer]:
    """A server that answers with what it was asked."""
    with echo.serving() as server:
        yield server
