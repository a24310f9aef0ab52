"""The addresses of known branches are kept, however the disk does at the moment."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import gevent
import pytest

from cyme.errors import StorageFull
from cyme.runtime.cluster import remembering
from cyme.runtime.cluster.remembering import Remembering
from cyme.runtime.cluster.seldom import Seldom
from cyme.testing import FakeClock
from tests.waiting import eventually

ONE, OTHER = ("tcp://one:1",), ("tcp://other:1",)


class Disk:
    """Keeps what it is given, unless it is full or slow."""

    def __init__(self) -> None:
        self.is_full = False
        self.write_s = 0.0
        self.tried = 0
        self.kept: list[tuple[str, ...]] = []

    def keep(self, endpoints: tuple[str, ...]) -> None:
        self.tried += 1
        gevent.sleep(self.write_s)
        if self.is_full:
            raise StorageFull("There is no room.")
        self.kept.append(endpoints)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def memory(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remembering]:
    monkeypatch.setattr(remembering, "PAUSE_S", 0.01)
    monkeypatch.setattr(remembering, "RETRY_S", 0.01)
    memory = Remembering(disk.keep, Seldom(logging.getLogger(__name__), FakeClock()))
    memory.start()
    yield memory
    memory.stop(1.0)


def test_the_latest_is_kept(disk: Disk, memory: Remembering) -> None:
    memory.take(ONE)
    memory.take(OTHER)
    eventually(lambda: disk.kept == [OTHER])


def test_what_could_not_be_kept_is_kept_as_soon_as_there_is_room(
    disk: Disk, memory: Remembering
) -> None:
    disk.is_full = True
    memory.take(ONE)
    eventually(lambda: disk.tried > 1)
    disk.is_full = False
    eventually(lambda: disk.kept == [ONE])


def test_what_changed_while_it_was_kept_is_kept_next(disk: Disk, memory: Remembering) -> None:
    disk.write_s = 0.05
    memory.take(ONE)
    eventually(lambda: disk.tried)
    memory.take(OTHER)
    eventually(lambda: disk.kept == [ONE, OTHER])


def test_an_end_in_the_middle_loses_nothing(disk: Disk, memory: Remembering) -> None:
    disk.write_s = 60.0
    memory.take(ONE)
    eventually(lambda: disk.tried)
    disk.write_s = 0.0
    memory.stop(1.0)
    assert disk.kept == [ONE]


def test_the_end_goes_on_though_nothing_can_be_kept(disk: Disk, memory: Remembering) -> None:
    disk.is_full = True
    memory.take(ONE)
    memory.stop(1.0)
    assert disk.tried
