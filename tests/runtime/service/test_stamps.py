"""What the other branches tell an older version of an instance by from a later one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cyme.core.model import Stamp, merged
from cyme.testing import WALL_S
from tests.runtime.service.house import ADMIN, House

T = 5.0
AHEAD = Stamp(int(WALL_S * 1000) + 60_000, 7, "b2")


def _put(house: House) -> None:
    house.put("w1", max_concurrency=3)


def _add_consumer(house: House) -> None:
    house.service.add_consumer("shop", "w1", "more", caller=ADMIN, timeout_s=T)


def _cancel_consumer(house: House) -> None:
    house.service.cancel_consumer("shop", "w1", "tasks", caller=ADMIN, timeout_s=T)


def _delete_queue(house: House) -> None:
    house.service.delete_queue("shop", "tasks", force=True, caller=ADMIN, timeout_s=T)


def _delete(house: House) -> None:
    house.service.delete_instance("w1", caller=ADMIN, timeout_s=T)


def _delete_app(house: House) -> None:
    house.service.delete_app("shop", force=True, caller=ADMIN, timeout_s=T)


@pytest.mark.parametrize(
    "change", [_put, _add_consumer, _cancel_consumer, _delete_queue, _delete, _delete_app]
)
def test_every_change_of_an_instance_is_later_than_all_that_was_seen(
    house: House, change: Callable[[House], None]
) -> None:
    house.declare("tasks", "more")
    first = house.put("w1", queues=["tasks"])
    seen = replace(first, stamp=AHEAD, version=5)
    house.replica.absorb([seen], T)
    change(house)
    after = house.replica.instance_or_tombstone("w1")
    assert after is not None
    assert after.stamp == Stamp(AHEAD.time_ms, after.stamp.counter, "b1")
    assert after.stamp > AHEAD
    assert (after.version, after.generation, after.epoch) == (6, 1, 1)
    assert merged(seen, after) is after


def test_what_changes_nothing_takes_no_stamp(house: House) -> None:
    first = house.put("w1", max_concurrency=3)
    assert house.put("w1", max_concurrency=3) == first


def test_an_instance_that_is_created_again_is_another_one(house: House) -> None:
    first = house.put("w1")
    assert (first.generation, first.version, first.epoch) == (1, 1, 1)
    house.give_away("w1", owner="b1")
    _delete(house)
    tombstone = house.replica.instance_or_tombstone("w1")
    assert tombstone is not None
    again = house.put("w1")
    assert (again.generation, again.version, again.epoch) == (2, 3, tombstone.epoch + 1)
    assert again.stamp > tombstone.stamp
    assert merged(tombstone, again) is again
    assert merged(again, tombstone) is again
