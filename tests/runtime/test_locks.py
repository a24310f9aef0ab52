from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from cyme.adapters.clock import SystemClock
from cyme.errors import DeadlineExceeded, Overloaded
from cyme.runtime import locks as module
from cyme.runtime.locks import Key, Locks
from tests.waiting import eventually

KEY = ("app", "shop")


@pytest.fixture
def locks() -> Locks:
    return Locks(SystemClock())


def _soon() -> float:
    return SystemClock().monotonic() + 10.0


def _now() -> float:
    return SystemClock().monotonic() + 0.01


class Holder:
    """A greenlet that holds a lock until it is let go."""

    def __init__(self, locks: Locks, key: Key, *, alone: bool) -> None:
        self._let_go = Event()
        self.holds = Event()
        lock = locks.exclusive if alone else locks.shared
        self.greenlet = gevent.spawn(self._run, lock(key, deadline=_soon()))

    def _run(self, lock: object) -> None:
        with lock:  # type: ignore[attr-defined]
            self.holds.set()
            self._let_go.wait(10.0)

    def let_go(self) -> None:
        self._let_go.set()
        self.greenlet.join(10.0)


def test_sharers_hold_a_lock_together(locks: Locks) -> None:
    holder = Holder(locks, KEY, alone=False)
    assert holder.holds.wait(5.0)
    with locks.shared(KEY, deadline=_soon()):
        pass
    holder.let_go()


@pytest.mark.parametrize(
    ("first_alone", "second_alone"), [(True, False), (False, True), (True, True)]
)
def test_who_excludes_shares_with_nobody(
    locks: Locks, first_alone: bool, second_alone: bool
) -> None:
    holder = Holder(locks, KEY, alone=first_alone)
    assert holder.holds.wait(5.0)
    lock = locks.exclusive if second_alone else locks.shared
    with pytest.raises(DeadlineExceeded, match="'shop'"), lock(KEY, deadline=_now()):
        pytest.fail("it was held by another")
    holder.let_go()
    with lock(KEY, deadline=_soon()):
        assert len(locks) == 1


def test_other_keys_are_free(locks: Locks) -> None:
    holder = Holder(locks, KEY, alone=True)
    assert holder.holds.wait(5.0)
    with locks.exclusive(("app", "other"), deadline=_now()):
        assert len(locks) == 2
    holder.let_go()


def test_who_waits_to_exclude_goes_before_new_sharers(locks: Locks) -> None:
    first = Holder(locks, KEY, alone=False)
    assert first.holds.wait(5.0)
    excluder = Holder(locks, KEY, alone=True)
    late = Holder(locks, KEY, alone=False)
    gevent.idle()
    assert not excluder.holds.is_set()
    assert not late.holds.is_set()
    first.let_go()
    assert excluder.holds.wait(5.0)
    assert not late.holds.is_set()
    excluder.let_go()
    assert late.holds.wait(5.0)
    late.let_go()


def test_an_excluder_that_gave_up_holds_up_nobody(locks: Locks) -> None:
    first = Holder(locks, KEY, alone=False)
    assert first.holds.wait(5.0)
    with pytest.raises(DeadlineExceeded), locks.exclusive(KEY, deadline=_now()):
        pytest.fail("it was held by another")
    with locks.shared(KEY, deadline=_soon()):
        pass
    first.let_go()


def test_sharers_wake_when_a_waiting_excluder_gives_up(locks: Locks) -> None:
    first = Holder(locks, KEY, alone=False)
    assert first.holds.wait(5.0)
    excluder = Holder(locks, KEY, alone=True)
    late = Holder(locks, KEY, alone=False)
    gevent.idle()
    excluder.greenlet.kill()
    assert late.holds.wait(5.0)
    first.let_go()
    late.let_go()
    assert len(locks) == 0


def test_nothing_is_kept_of_locks_that_nobody_wants(locks: Locks) -> None:
    with pytest.raises(RuntimeError), locks.exclusive(KEY, deadline=_soon()):
        raise RuntimeError
    holder = Holder(locks, KEY, alone=True)
    assert holder.holds.wait(5.0)
    with pytest.raises(DeadlineExceeded), locks.shared(KEY, deadline=_now()):
        pytest.fail("it was held by another")
    holder.let_go()
    eventually(lambda: len(locks) == 0)


def test_there_are_not_more_keys_than_the_table_holds(
    locks: Locks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEYS_MAX", 1)
    with locks.shared(KEY, deadline=_soon()):
        with pytest.raises(Overloaded), locks.shared(("app", "x"), deadline=_soon()):
            pytest.fail("there was no room")
        with locks.shared(KEY, deadline=_soon()):
            pass


def test_changes_under_a_lock_are_made_one_after_the_other(locks: Locks) -> None:
    count = 0

    def add() -> None:
        nonlocal count
        with locks.exclusive(KEY, deadline=_soon()):
            before = count
            gevent.idle()
            count = before + 1

    gevent.joinall([gevent.spawn(add) for _ in range(50)], timeout=10.0, raise_error=True)
    assert count == 50
    assert len(locks) == 0
