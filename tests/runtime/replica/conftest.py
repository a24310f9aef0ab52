"""A replica that has loaded a store."""

from __future__ import annotations

import pytest

from cyme.runtime.replica import Replica
from cyme.testing import FakeClock, MemoryStore
from tests.runtime.replica.known import APP, INSTANCE, QUEUE


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore([APP, QUEUE, INSTANCE])


@pytest.fixture
def replica(store: MemoryStore, clock: FakeClock) -> Replica:
    replica = Replica(store, clock, "b1")
    replica.load()
    return replica
