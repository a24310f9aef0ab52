from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.service.house import House


@pytest.fixture
def house() -> Iterator[House]:
    """A service over fakes."""
    house = House()
    yield house
    house.service.telemetry.stop(1.0)
    house.service.stop(5.0)
