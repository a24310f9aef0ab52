"""What others bring about is bounded in the driver: their calls, and the events that they cause."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence

import pytest
from gevent.event import Event

from cyme.core.cluster.messages import Answer, Call, Message, Rumours
from cyme.core.cluster.node import NodeSettings
from cyme.core.model import BranchId
from cyme.core.ports import Inlet
from cyme.errors import Overloaded
from cyme.runtime.cluster import wire
from cyme.runtime.cluster.driver import Driver
from cyme.runtime.cluster.encoding import decode_error
from cyme.runtime.cluster.ration import Ration
from cyme.runtime.cluster.serving import PERFORMING_MAX
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.testing import FakeClock, MemoryStore
from tests.core.cluster.nodes import profile, rumour, sender, word
from tests.waiting import eventually

TAG = wire.cluster_tag("test")


class QuietLinks:
    """Sockets that nobody is at the other end of; answers are kept."""

    calls_at = "tcp://me:1"
    beats_at = "tcp://me:2"

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def start(self, inlet: Inlet) -> None:
        """Do nothing; a test says what arrives."""

    def stop(self, timeout_s: float) -> None:
        """Do nothing."""

    def publish(self, frames: Sequence[bytes]) -> None:
        """Do nothing."""

    def send(self, endpoint: str, frames: Sequence[bytes]) -> None:
        """Do nothing."""

    def reply(self, link: bytes, frames: Sequence[bytes]) -> None:
        """Keep what is an answer."""
        message = wire.unpack(frames, cluster=TAG, published=False)
        if isinstance(message, Answer):
            self.answers.append(message)

    def listen(self, endpoints: Collection[str]) -> None:
        """Do nothing."""


class Waiting:
    """Performs calls, each when the test lets it go."""

    def __init__(self) -> None:
        self.go = Event()

    def __call__(self, method: str, arguments: bytes, *, timeout_s: float) -> tuple[bool, bytes]:
        """Wait, and return nothing in particular."""
        self.go.wait(10.0)
        return True, b""

    def waits(self, method: str) -> bool:
        """Tell that calls that read may wait."""
        return method == "read"


@pytest.fixture
def links() -> QuietLinks:
    return QuietLinks()


@pytest.fixture
def journal() -> Journal:
    return Journal(FakeClock())


@pytest.fixture
def driver(links: QuietLinks, journal: Journal) -> Iterator[Driver]:
    replica = Replica(MemoryStore(), FakeClock(), "me")
    replica.load()
    driver = Driver(
        NodeSettings(branch=BranchId("me"), boot=1, profile=profile("me"), seed=1),
        cluster=TAG,
        links=links,
        replica=replica,
        journal=journal,
        clock=FakeClock(),
        remember=lambda _: None,
        on_halt=lambda _: None,
    )
    driver.start()
    yield driver
    driver.stop()


def _hear(driver: Driver, message: Message) -> None:
    driver.on_directed(b"link", wire.pack(message, cluster=TAG))


def _call(number: int, method: str) -> Call:
    return Call(
        sender=sender("a"),
        id=f"{number:032x}",
        method=method,
        arguments=b"",
        budget_s=60.0,
        hops=0,
        target=BranchId("me"),
        target_boot=0,
    )


@pytest.mark.parametrize(("method", "other"), [("read", "write"), ("write", "read")])
def test_a_call_that_is_one_too_many_is_answered_at_once(
    method: str, other: str, driver: Driver, links: QuietLinks, monkeypatch: pytest.MonkeyPatch
) -> None:
    performer = Waiting()
    driver.serve(performer)
    for number in range(PERFORMING_MAX + 1):
        _hear(driver, _call(number, method))
    (refused,) = links.answers
    assert refused.id == f"{PERFORMING_MAX:032x}"
    assert not refused.ok
    assert isinstance(decode_error(refused.value), Overloaded)
    # Of the other kind there is room.
    _hear(driver, _call(PERFORMING_MAX + 1, other))
    assert len(links.answers) == 1
    performer.go.set()
    eventually(lambda: len(links.answers) == PERFORMING_MAX + 2)
    _hear(driver, _call(PERFORMING_MAX + 2, method))
    eventually(lambda: links.answers[-1].ok)


def test_a_flood_of_words_about_branches_is_a_bounded_number_of_events(
    driver: Driver,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(driver, "_ration", Ration(10, 1.0))
    with caplog.at_level(logging.INFO):
        for number in range(100):
            told = (rumour("a", number, word(f"fake{number}")),)
            message = Rumours(sender=sender("a"), number=number, rumours=told)
            driver.on_published(wire.pack(message, cluster=TAG))
    assert len(journal.recent(1000)) == 10
    assert len(caplog.records) == 11
    assert len(driver.node.statements()) == 101


def test_a_ration_grows_again_up_to_its_most() -> None:
    ration = Ration(2, 0.5)
    assert [ration.take(10.0) for _ in range(3)] == [True, True, False]
    assert not ration.take(11.9)
    assert ration.take(12.0)
    assert not ration.take(12.0)
    assert [ration.take(1000.0) for _ in range(3)] == [True, True, False]
