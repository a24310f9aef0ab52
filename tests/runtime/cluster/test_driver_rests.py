"""While nothing is under way the driver rests, and what comes in ends that."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from cyme.core.cluster.messages import Rumours
from cyme.core.cluster.node import NodeSettings
from cyme.core.model import BranchId
from cyme.core.ports import Inlet
from cyme.runtime.cluster import wire
from cyme.runtime.cluster.driver import Driver
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.testing import FakeClock, MemoryStore
from tests.core.cluster import known
from tests.core.cluster.nodes import profile
from tests.waiting import eventually

TAG = wire.cluster_tag("test")


class Published:
    """Sockets that nobody is at the other end of; what is published is kept."""

    calls_at = "tcp://me:1"
    beats_at = "tcp://me:2"

    def __init__(self) -> None:
        self.rumours: list[str] = []

    def start(self, inlet: Inlet) -> None:
        """Do nothing."""

    def stop(self, timeout_s: float) -> None:
        """Do nothing."""

    def publish(self, frames: Sequence[bytes]) -> None:
        """Keep the names of the apps that are told of."""
        message = wire.unpack(frames, cluster=TAG, published=True)
        if isinstance(message, Rumours):
            self.rumours += [getattr(each.item, "name", "") for each in message.rumours]

    def send(self, endpoint: str, frames: Sequence[bytes]) -> None:
        """Do nothing."""

    def reply(self, link: bytes, frames: Sequence[bytes]) -> None:
        """Do nothing."""

    def listen(self, endpoints: Collection[str]) -> None:
        """Do nothing."""


def test_what_waits_to_be_told_ends_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, links = FakeClock(), Published()
    replica = Replica(MemoryStore(), clock, "me")
    replica.load()
    driver = Driver(
        NodeSettings(branch=BranchId("me"), boot=1, profile=profile("me"), seed=1),
        cluster=TAG,
        links=links,
        replica=replica,
        journal=Journal(clock),
        clock=clock,
        remember=lambda _: None,
        on_halt=lambda _: None,
    )
    driver.start()
    try:

        def is_calm() -> bool:
            clock.advance(0.1)
            return driver.node.calm

        eventually(is_calm)
        asked: list[float] = []

        def rest_long(now: float) -> float:
            asked.append(now)
            return 600.0

        with monkeypatch.context() as resting:
            resting.setattr(driver.node, "pause_s", rest_long)
            eventually(lambda: asked)
        driver._on_applied([known.app("first")], True)
        driver._on_applied([known.app("second")], True)
        assert "second" not in links.rumours
        clock.advance(0.2)
        eventually(lambda: "second" in links.rumours)
    finally:
        driver.stop()
