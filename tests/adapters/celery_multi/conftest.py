"""A directory of workers for a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.celery_multi.ground import Ground


@pytest.fixture
def ground(tmp_path: Path, redis_url: str) -> Iterator[Ground]:
    ground = Ground(tmp_path / "instances", redis_url)
    yield ground
    ground.clear()
