from __future__ import annotations

import time

import gevent
import pytest

from cyme.adapters.celery_events.turns import HUB_SHARE_MAX, Turns


def worked_share(turns: Turns, listeners: int, for_s: float) -> float:
    """Return the part of the time that listeners work which always have something to do."""
    worked = [0.0]
    ends = time.perf_counter() + for_s

    def listen() -> None:
        while time.perf_counter() < ends:
            turns.wait()
            until = turns.begin()
            began = time.perf_counter()
            while not turns.is_over(until):
                pass
            worked[0] += time.perf_counter() - began
            turns.end()
        turns.wait()  # the rest of the last turn belongs to it, however long that was

    began = time.perf_counter()
    gevent.joinall([gevent.spawn(listen) for _ in range(listeners)])
    return worked[0] / (time.perf_counter() - began)


@pytest.mark.parametrize("listeners", [1, 5])
def test_all_listeners_together_take_no_more_than_their_share(listeners: int) -> None:
    shares = [worked_share(Turns(), listeners, for_s=0.2) for _ in range(3)]
    assert max(shares) <= HUB_SHARE_MAX * 1.1
    assert max(shares) > HUB_SHARE_MAX / 4


def test_a_turn_that_took_longer_is_followed_by_a_longer_rest() -> None:
    now = [100.0]
    turns = Turns(share_max=0.1, turn_s=1.0, now=lambda: now[0])
    assert turns.begin() == 101.0
    assert turns.part(101.0, 0.5) == 100.5
    now[0] = 103.0
    assert turns.is_over(101.0)
    turns.end()
    assert turns._free_at == pytest.approx(130.0)
