from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.service.house import House
from tests.runtime.service.town import Town


@pytest.fixture
def house() -> Iterator[House]:
    """A service over fakes."""
    house = House()
    yield house
    house.service.stop(5.0)


@pytest.fixture
def town() -> Iterator[Town]:
    """Two branches over fakes."""
    town = Town()
    yield town
    town.close()
