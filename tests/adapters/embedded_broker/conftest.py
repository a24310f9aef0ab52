"""Embedded brokers that are stopped when their test is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cyme.adapters.embedded_broker import EmbeddedBroker
from tests.adapters.embedded_broker.servers import TIMEOUT_S, MakeBroker


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeBroker]:
    """Make the brokers of branches that share a directory."""
    made: list[EmbeddedBroker] = []

    def make_broker(cluster: str = "main", **options: Path) -> EmbeddedBroker:
        made.append(EmbeddedBroker(tmp_path / "state", cluster, **options))
        return made[-1]

    yield make_broker
    for embedded in made:
        embedded.stop(TIMEOUT_S)
