from __future__ import annotations

import time

import gevent
import pytest

from cyme.adapters.database import Database, writer
from cyme.errors import DeadlineExceeded, Overloaded, StorageUnavailable
from tests.waiting import eventually

from .conftest import Open
from .held import held
from .samples import app, refused

T = 10.0
BEAT_S = 0.005
#: How long the disk is slow: far longer than a busy machine lets anyone wait for a processor.
HELD_S = 1.0


def _write_all(store: Database, names: list[str]) -> list[gevent.Greenlet]:
    return [gevent.spawn(store.write, [app(name)], timeout_s=T) for name in names]


def test_what_waits_is_done_in_one_commit(url: str, database: Open) -> None:
    store = database(url)
    with held(store):
        before = store.writes_and_groups
        writing = _write_all(store, [f"a{n}" for n in range(64)])
        gevent.idle()
    gevent.joinall(writing, raise_error=True)
    writes, groups = store.writes_and_groups
    assert writes - before[0] == 65
    assert groups - before[1] == 2, "the one that held, and all others"
    assert len(store.load()) == 64


def test_sixty_four_writers_at_a_time_wait_for_a_few_commits(url: str, database: Open) -> None:
    store = database(url)
    _, before = store.writes_and_groups
    gevent.joinall(_write_all(store, [f"a{n}" for n in range(64)]), raise_error=True)
    _, groups = store.writes_and_groups
    assert groups - before < 64 / 4


def test_each_of_a_group_gets_its_own_verdict(url: str, database: Open) -> None:
    store = database(url)
    with held(store):
        good = _write_all(store, [f"good{n}" for n in range(10)])
        bad = gevent.spawn(store.write, [app("half"), refused("bad")], timeout_s=T)
        more = _write_all(store, [f"more{n}" for n in range(10)])
        gevent.idle()
    gevent.joinall([*good, *more], raise_error=True)
    with pytest.raises(StorageUnavailable, match="refuses the content"):
        bad.get()
    names = {record.name for record in store.load()}
    assert len(names) == 20
    assert not {"half", "bad"} & names
    assert store.healthy()


def test_refuses_more_than_may_wait(
    sqlite_url: str, database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "WAITING_MAX", 3)
    store = database(sqlite_url)
    with held(store):
        writing = _write_all(store, ["a", "b", "c"])
        gevent.idle()
        with pytest.raises(Overloaded):
            store.write([app("d")], timeout_s=T)
    gevent.joinall(writing, raise_error=True)
    assert {record.name for record in store.load()} == {"a", "b", "c"}


def test_what_was_given_up_before_it_began_is_never_written(
    sqlite_url: str, database: Open
) -> None:
    store = database(sqlite_url)
    with held(store), pytest.raises(DeadlineExceeded, match="nothing was written"):
        store.write([app("late")], timeout_s=0.05)
    assert store.load() == []


def test_what_was_given_up_later_may_be_written(sqlite_url: str, database: Open) -> None:
    store = database(sqlite_url)
    with held(store):
        writing = gevent.spawn(store._do, lambda session: time.sleep(0.3), 0.25)
        gevent.idle()
    with pytest.raises(DeadlineExceeded, match="is not known"):
        writing.get()


def test_a_caller_that_is_killed_takes_its_write_along(sqlite_url: str, database: Open) -> None:
    store = database(sqlite_url)
    with held(store):
        (writing,) = _write_all(store, ["killed"])
        gevent.idle()
        writing.kill()
    assert store.load() == []


def test_the_hub_beats_on_while_the_disk_is_slow(url: str, database: Open) -> None:
    store = database(url)
    gaps: list[float] = []

    def beat() -> None:
        last = time.perf_counter()
        while True:
            gevent.sleep(BEAT_S)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    beating = gevent.spawn(beat)
    with held(store):
        writing = _write_all(store, [f"a{n}" for n in range(256)])
        gevent.sleep(HELD_S)
    gevent.joinall(writing, raise_error=True)
    beating.kill()
    assert len(gaps) > HELD_S / BEAT_S / 10
    # A hub that waited for the thread would not beat once while it is held.
    assert max(gaps) < HELD_S * 0.9, f"the longest gap was {max(gaps) * 1e3:.0f} ms"


def test_a_thread_that_hangs_counts_as_ill(
    sqlite_url: str, database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "STUCK_AFTER_S", 0.05)
    store = database(sqlite_url)
    with held(store):
        eventually(lambda: not store.healthy())
    assert store.healthy()


def test_closing_finishes_what_was_asked_for(sqlite_url: str, database: Open) -> None:
    store = database(sqlite_url)
    with held(store):
        writing = _write_all(store, [f"a{n}" for n in range(20)])
        gevent.idle()
        closing = gevent.spawn(store.close, T)
        gevent.idle()
    gevent.joinall([*writing, closing], raise_error=True)
    assert len(database(sqlite_url).load()) == 20


def test_closing_gives_up_on_a_thread_that_hangs(sqlite_url: str, database: Open) -> None:
    store = database(sqlite_url)
    with held(store):
        started = time.monotonic()
        store.close(0.2)
        assert time.monotonic() - started < 10
        with pytest.raises(StorageUnavailable):
            store.write([app()], timeout_s=T)


def test_an_error_of_our_own_reaches_the_caller_and_not_the_writer(
    sqlite_url: str, database: Open
) -> None:
    store = database(sqlite_url)
    with pytest.raises(StorageUnavailable, match="division"):
        store._do(lambda session: 1 // 0, T)
    store.write([app()], timeout_s=T)
