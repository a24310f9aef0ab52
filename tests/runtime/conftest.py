"""A supervisor for a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.world import World


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()
