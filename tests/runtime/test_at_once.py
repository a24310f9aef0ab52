"""The same for several, some at a time, within the time that there is."""

from __future__ import annotations

import gevent
from gevent.event import Event

from cyme.runtime.at_once import for_all
from tests.waiting import eventually

LONG_S = 60.0


def test_it_is_done_for_all_and_so_many_at_a_time() -> None:
    under_way: set[int] = set()
    most = 0
    done: list[int] = []

    def deed(number: int) -> None:
        nonlocal most
        under_way.add(number)
        most = max(most, len(under_way))
        gevent.sleep(0)
        under_way.remove(number)
        done.append(number)

    for_all(range(10), deed, at_once_max=3, timeout_s=LONG_S)
    assert sorted(done) == list(range(10))
    assert most == 3


def test_what_is_not_done_in_time_is_given_up_though_more_waits_than_fits() -> None:
    begun: list[int] = []
    ended: list[int] = []

    def deed(number: int) -> None:
        begun.append(number)
        try:
            Event().wait(LONG_S)
        finally:
            ended.append(number)

    with gevent.Timeout(LONG_S / 2):
        for_all(range(10), deed, at_once_max=3, timeout_s=0.01)
    eventually(lambda: sorted(ended) == begun)
    assert begun == [0, 1, 2]


def test_without_time_nothing_is_waited_for() -> None:
    with gevent.Timeout(LONG_S / 2):
        for_all(range(2), lambda _: Event().wait(LONG_S), at_once_max=1, timeout_s=-1.0)
