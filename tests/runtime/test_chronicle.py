from __future__ import annotations

from collections.abc import Iterator, Sequence

import gevent
import pytest

from cyme.core.events import Cursor, Event
from cyme.errors import StorageFull
from cyme.runtime import chronicle
from cyme.runtime.chronicle import Chronicle
from cyme.runtime.journal import Journal
from cyme.testing import WALL_S, FakeClock
from tests.waiting import eventually


class Pages:
    """An event log in memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.calls = 0
        self.is_full = False

    def load(self) -> Sequence[Event]:
        return self.events

    def append(self, events: Sequence[Event]) -> None:
        self.calls += 1
        if self.is_full:
            self.events += events[:1]
            raise StorageFull("there is no room")
        gevent.sleep(0)
        self.events += events


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chronicle, "GATHER_S", 0.01)
    monkeypatch.setattr(chronicle, "RETRY_S", 0.02)


class Life:
    """One life of a branch."""

    def __init__(self, pages: Pages, clock: FakeClock) -> None:
        self.journal = Journal(clock, "b1")
        self.chronicle = Chronicle(self.journal, pages, clock)
        self.chronicle.start()


@pytest.fixture
def life(pages: Pages) -> Iterator[Life]:
    life = Life(pages, FakeClock())
    yield life
    life.chronicle.stop(1.0)


def test_what_follows_closely_is_written_together(life: Life, pages: Pages) -> None:
    for number in range(5):
        life.journal.record("a.b", f"{number}")
    eventually(lambda: len(pages.events) == 5)
    assert pages.calls == 1
    life.journal.record("a.b", "later")
    eventually(lambda: len(pages.events) == 6)


def test_a_later_life_remembers_and_counts_on(pages: Pages) -> None:
    first = Life(pages, FakeClock())
    first.journal.record("instance.started", "it answers", instance="w1")
    first.journal.record("a.b", "last words")
    first.chronicle.stop(1.0)
    assert len(pages.events) == 2, "what waits is written at the end"
    second = Life(pages, FakeClock(wall_s=WALL_S - 3600.0))  # the clock was set back
    event = second.journal.record("a.b", "again")
    second.chronicle.stop(1.0)
    assert event.seq == 3
    assert event.cursor > pages.events[0].cursor
    assert [each.seq for each in second.journal.recent(9)] == [1, 2, 3]
    assert [each.seq for each in second.journal.of_instance("w1")] == [1]
    ids = {each.id for each in pages.events}
    assert len(ids) == len(pages.events) == 3
    assert second.journal.after(Cursor()).events == tuple(pages.events)


def test_a_full_disk_neither_stops_nor_forgets(life: Life, pages: Pages) -> None:
    pages.is_full = True
    for number in range(3):
        life.journal.record("a.b", f"{number}")
    eventually(lambda: pages.calls >= 3)
    assert len(life.journal.recent(9)) == 3
    pages.is_full = False
    eventually(lambda: [each.seq for each in pages.events[-3:]] == [1, 2, 3])
    journal = Journal(FakeClock(), "b1")
    journal.restore(pages.events)
    assert [each.seq for each in journal.recent(9)] == [1, 2, 3], "once each"


def test_what_waits_is_bounded(life: Life, pages: Pages) -> None:
    pages.is_full = True
    for _ in range(chronicle.WAITING_MAX + 10):
        life.journal.record("a.b", "again")
    pages.is_full = False
    eventually(lambda: len(pages.events) >= chronicle.WAITING_MAX)
    assert pages.events[-1].seq == chronicle.WAITING_MAX + 10
    assert 1 not in {each.seq for each in pages.events}
