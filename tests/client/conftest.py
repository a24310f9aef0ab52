"""Fixtures of the client's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cyme.client import Client
from tests.api.branch import FakeBranch
from tests.client.cluster import Meddling, transport


@pytest.fixture
def branch() -> Iterator[FakeBranch]:
    """Yield a branch: the real service over fakes."""
    made = FakeBranch()
    yield made
    made.stop()


@pytest.fixture
def way(branch: FakeBranch) -> Meddling:
    """Return the administrator's way to it."""
    return transport(branch)


@pytest.fixture
def client(way: Meddling) -> Client:
    """Return the administrator's client of it."""
    return Client(transport=way, retries=0)
