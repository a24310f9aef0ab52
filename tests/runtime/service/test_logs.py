"""Logs of workers, read and followed through one branch of several."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import gevent
import pytest

from cyme.errors import NotFound, NotSupported, Overloaded, OwnerUnreachable
from cyme.runtime.service import logs
from cyme.runtime.service.logs import LogReading
from tests.runtime.service.house import ADMIN, House
from tests.runtime.service.town import Town


class Reader:
    """Somebody who reads a log and has what was told so far."""

    def __init__(self, reading: LogReading) -> None:
        self.reading = reading
        self._pieces = iter(reading)

    def next(self, times: int = 1) -> str:
        """Return what comes next; nothing where there is nothing new."""
        return b"".join(next(self._pieces) for _ in range(times)).decode()

    def rest(self) -> str:
        return b"".join(self._pieces).decode()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WAIT_S", "RETRY_S"):
        monkeypatch.setattr(logs, name, 0.0)


@pytest.fixture
def town() -> Iterator[Town]:
    """Three branches; the first has a worker ``w1`` of the app ``shop``."""
    town = Town(3)
    town["b1"].declare()
    town["b1"].service.put_instance("shop", "w1", {}, branch="b1", caller=ADMIN, timeout_s=5.0)
    town.gossip()
    yield town
    town.close()


def read(
    house: House,
    *,
    lines: int | None = 100,
    since: float | None = None,
    follow: bool = False,
    app: str | None = "shop",
) -> Reader:
    return Reader(house.service.open_log("w1", app, lines=lines, since=since, follow=follow))


@pytest.mark.parametrize("through", ["b1", "b2"])
def test_a_log_is_read_through_any_branch(town: Town, through: str) -> None:
    assert read(town[through]).rest() == ""
    town["b1"].logs.write("w1", "1 a", "2 b", "3 c")
    assert read(town[through], lines=2).rest() == "2 b\n3 c\n"
    assert read(town[through], lines=None, since=1.5).rest() == "2 b\n3 c\n"


def test_what_is_written_meanwhile_does_not_keep_a_reader_for_ever(town: Town) -> None:
    town["b1"].logs.write("w1", *["x" * 99] * 3_000)
    reading = town["b2"].service.open_log("w1", None, lines=None, since=None, follow=False)
    told = b""
    for count, piece in enumerate(reading):
        assert count < 100, "it goes on and on"
        town["b1"].logs.write("w1", *["y" * 99] * 1_000)
        told += piece
    assert told.startswith(b"x" * 99 + b"\n")
    assert told.count(b"x" * 99) == 3_000


@pytest.mark.parametrize("through", ["b1", "b2"])
def test_a_log_is_followed_from_before_it_is_there(town: Town, through: str) -> None:
    reader = read(town[through], lines=0, follow=True)
    assert reader.next(2) == ""
    town["b1"].logs.write("w1", "1 a", "2 b")
    assert reader.next() == "1 a\n2 b\n"
    assert reader.next() == ""
    town["b1"].logs.write("w1", "3 c")
    assert reader.next() == "3 c\n"


def test_only_what_was_asked_for_is_told_before_what_follows(town: Town) -> None:
    town["b1"].logs.write("w1", "1 a", "2 b")
    reader = read(town["b2"], lines=1, follow=True)
    assert reader.next() == "2 b\n"
    town["b1"].logs.write("w1", "3 c")
    assert reader.next() == "3 c\n"


def test_a_reader_follows_a_worker_that_moves_and_comes_back(town: Town) -> None:
    began = town["b1"].clock.wall()
    town["b1"].logs.write("w1", "1 a")
    town["b2"].logs.write("w1", "1 old")
    reader = read(town["b1"], follow=True)
    assert reader.next() == "1 a\n"
    town["b1"].logs.write("w1", "2 b")
    town["b1"].give_away("w1", "b2")
    town.gossip()
    town["b2"].logs.write("w1", f"{began + 5} c")
    assert reader.next(2) == "2 b\n-- cyme: w1 runs on branch b2 now --\n"
    assert reader.next() == f"{began + 5} c\n"
    town["b1"].logs.write("w1", "3 late")
    town["b1"].give_away("w1", "b1")
    town.gossip()
    assert reader.next(2) == "-- cyme: w1 runs on branch b1 now --\n"
    assert reader.next() == "3 late\n"


def test_a_reader_waits_for_a_branch_that_is_away(town: Town) -> None:
    reader = read(town["b2"], follow=True)
    assert reader.next() == ""
    town.cut.add("b1")
    assert reader.next(3) == "-- cyme: branch b1 cannot be asked; waiting for it --\n"
    town.cut.clear()
    town.slow.add("b1")
    assert reader.next() == ""
    town["b1"].logs.write("w1", "1 a")
    town.slow.clear()
    assert reader.next(2) == "-- cyme: branch b1 answers again --\n1 a\n"


def test_a_reader_goes_where_the_worker_is_when_its_branch_is_gone(town: Town) -> None:
    reader = read(town["b2"], follow=True)
    reader.next()
    town.cut.add("b1")
    town["b2"].give_away("w1", "b2")
    assert reader.next() == "-- cyme: w1 runs on branch b2 now --\n"


def test_a_reader_waits_while_a_worker_changes_hands(town: Town) -> None:
    reader = read(town["b2"], follow=True)
    reader.next()
    town["b1"].give_away("w1", "b2")  # which b2 does not know yet
    assert reader.next(3) == ""
    town["b1"].logs.write("w1", "1 a")
    town.gossip()
    assert reader.next(2) == "1 a\n-- cyme: w1 runs on branch b2 now --\n"


def test_who_begins_to_read_while_a_worker_changes_hands_is_led_on(town: Town) -> None:
    town["b1"].give_away("w1", "b2")
    town["b2"].give_away("w1", "b2")  # b3 does not know yet
    town["b2"].logs.write("w1", "1 a")
    assert read(town["b3"]).rest() == "1 a\n"


def test_a_reading_ends_with_its_instance(town: Town) -> None:
    reader = read(town["b1"], follow=True)
    reader.next()
    town["b1"].service.delete_instance("w1", "shop", caller=ADMIN, timeout_s=5.0)
    assert reader.rest() == "-- cyme: w1 was deleted --\n"


def test_what_cannot_be_read_is_said(town: Town) -> None:
    with pytest.raises(NotFound):
        town["b1"].service.open_log("w2", None, lines=1, since=None, follow=False)
    with pytest.raises(NotFound):
        read(town["b1"], app="other")
    town["b1"].logs.write("w1", *["x" * 99] * 3_000)
    reader, follower = read(town["b2"], lines=None), read(town["b2"], follow=True)
    town.cut.add("b1")
    assert reader.next()
    assert "-- cyme: the rest cannot be read: Branch 'b1' cannot be asked. --" in reader.rest()
    with pytest.raises(OwnerUnreachable):
        read(town["b2"])
    town["b1"].service._logs = None
    town.cut.clear()
    follower.next()
    assert "the log cannot be read: Branch 'b1' cannot read logs" in follower.rest()
    with pytest.raises(NotSupported):
        read(town["b1"])


def test_only_so_many_follow_logs_at_a_time(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FOLLOWERS_MAX", 2)
    first, second = (read(town["b1"], follow=True) for _ in range(2))
    with pytest.raises(Overloaded):
        read(town["b1"], follow=True)
    assert read(town["b1"]).rest() == ""
    first.reading.close()
    first.reading.close()
    third = read(town["b1"], follow=True)
    with pytest.raises(Overloaded):
        read(town["b1"], follow=True)
    for each in (second, third):
        each.reading.close()


def test_no_more_follow_logs_than_may_when_they_come_at_once(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FOLLOWERS_MAX", 2)
    begin = LogReading.begin

    def begin_after_a_moment(reading: LogReading) -> None:
        gevent.sleep(0.01)
        begin(reading)

    monkeypatch.setattr(LogReading, "begin", begin_after_a_moment)
    opened = [gevent.spawn(read, town["b1"], follow=True) for _ in range(4)]
    gevent.joinall(opened, timeout=5)
    assert sorted(each.successful() for each in opened) == [False, False, True, True]


def test_who_cannot_follow_a_log_takes_no_place(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FOLLOWERS_MAX", 1)
    town.cut.add("b1")
    for _ in range(2):
        with pytest.raises(OwnerUnreachable):
            read(town["b2"], follow=True)
    town.cut.clear()
    read(town["b2"], follow=True).reading.close()


def test_for_whom_there_is_no_room_to_wait_is_answered_at_once_and_asks_seldom(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "WAIT_S", 60.0)
    monkeypatch.setattr(logs, "RETRY_S", 0.05)
    monkeypatch.setattr(logs, "WAITING_MAX", 0)
    town["b1"].logs.write("w1", "1 a")
    asked = 0
    log_here = type(town["b1"].service).log_here

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        return log_here(*args, **options)

    monkeypatch.setattr(town["b1"].service, "log_here", partial(counted, town["b1"].service))
    reader = read(town["b1"], follow=True)
    assert reader.next() == "1 a\n"
    with gevent.Timeout(20):
        began = time.monotonic()
        assert reader.next(4) == ""
        assert asked == 5
        assert time.monotonic() - began > 0.1
    town["b1"].logs.write("w1", "2 b")
    assert reader.next(2) == "2 b\n"
    reader.reading.close()
