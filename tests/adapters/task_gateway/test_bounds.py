"""What the gateway remembers and holds open is bounded."""

from __future__ import annotations

import gevent
import pytest

from cyme.adapters.task_gateway.recent import RECENT_BYTES_MAX, RECENT_MAX, Recent
from cyme.adapters.task_gateway.shelf import SHELF_MAX, Shelf
from cyme.adapters.task_gateway.watches import WATCHES_MAX, Watch, Watches
from cyme.core.tasks import Outcome, TaskState
from cyme.errors import BrokerUnavailable, Overloaded

SUCCESS = Outcome(state=TaskState.SUCCESS, result=1)
RETRY = Outcome(state=TaskState.RETRY)


class Thing:
    def __init__(self, key: str) -> None:
        self.key = key
        self.is_idle = True
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True


def test_the_idle_thing_that_was_longest_not_asked_for_makes_room() -> None:
    shelf = Shelf(Thing)
    things = [shelf.get(str(number)) for number in range(SHELF_MAX)]
    things[0].is_idle = False
    assert shelf.get("1") is things[1]
    shelf.get("new")
    assert [thing.key for thing in things if thing.stopped] == ["2"]
    assert shelf.get("0") is things[0]


def test_nothing_is_stopped_that_is_in_use() -> None:
    shelf = Shelf(Thing)
    things = [shelf.get(str(number)) for number in range(SHELF_MAX)]
    for thing in things:
        thing.is_idle = False
    with pytest.raises(Overloaded):
        shelf.get("new")
    assert not any(thing.stopped for thing in things)
    shelf.clear()
    assert all(thing.stopped for thing in things)


def test_a_thing_is_made_once_though_many_ask_for_it_while_room_is_made() -> None:
    class SlowToStop(Thing):
        def stop(self) -> None:
            gevent.sleep(0.01)
            super().stop()

    shelf = Shelf(SlowToStop)
    for number in range(SHELF_MAX):
        shelf.get(str(number))
    asking = [gevent.spawn(shelf.get, "new") for _ in range(3)]
    asking += [gevent.spawn(shelf.get, "newer")]
    gevent.joinall(asking, raise_error=True, timeout=5)
    assert {each.value for each in asking[:3]} == {shelf.get("new")}
    assert len(shelf) == SHELF_MAX


def test_recent_results_are_bounded_by_count() -> None:
    recent = Recent()
    for number in range(RECENT_MAX):
        recent.put(str(number), b"x")
    assert recent.get("0") == b"x"
    recent.put("new", b"x")
    assert recent.get("1") is None
    assert recent.get("0") == b"x"


def test_recent_results_are_bounded_by_bytes() -> None:
    recent = Recent()
    half = b"x" * (RECENT_BYTES_MAX // 2)
    recent.put("a", half)
    recent.put("a", half)
    recent.put("b", half)
    assert recent.get("a") == half
    recent.put("c", b"x")
    assert recent.get("b") is None
    recent.put("huge", b"x" * (RECENT_BYTES_MAX + 1))
    assert recent.get("huge") is None


def test_a_final_outcome_stays() -> None:
    watch = Watch("a", until_final=True)
    watch.tell(RETRY)
    assert not watch.over.is_set()
    watch.tell(SUCCESS)
    assert watch.over.is_set()
    watch.tell(RETRY)
    watch.fail(BrokerUnavailable("away"))
    assert watch.result() == SUCCESS


def test_who_waits_for_the_end_waits_on_through_a_failure() -> None:
    watch = Watch("a", until_final=True)
    watch.fail(BrokerUnavailable("away"))
    assert not watch.over.is_set()
    with pytest.raises(BrokerUnavailable):
        watch.result()
    watch.tell(RETRY)
    assert watch.result() == RETRY


def test_all_who_wait_for_a_task_are_told() -> None:
    watches = Watches()
    with watches.added(Watch("a", True)) as one, watches.added(Watch("a", True)) as two:
        with watches.added(Watch("b", True)) as other:
            assert (watches.tasks(), len(watches)) == (["a", "b"], 3)
            watches.tell("a", SUCCESS)
            assert (one.outcome, two.outcome, other.over.is_set()) == (SUCCESS, SUCCESS, False)
            assert watches.tasks() == ["b"]
        assert len(watches) == 2
    assert (watches.tasks(), len(watches)) == ([], 0)


def test_not_more_wait_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cyme.adapters.task_gateway.watches.WATCHES_MAX", 2)
    assert WATCHES_MAX >= 1000
    watches = Watches()
    with (
        watches.added(Watch("a", True)),
        watches.added(Watch("b", True)),
        pytest.raises(Overloaded),
        watches.added(Watch("c", True)),
    ):
        pass
    with watches.added(Watch("c", True)):
        gevent.idle()
