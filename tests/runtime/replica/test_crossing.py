"""Writes here and records from elsewhere cross, and nothing of either is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import gevent
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cyme.core.model import Instance, Record, merged
from cyme.errors import DeadlineExceeded, StorageFull
from cyme.runtime.replica import Replica
from cyme.testing import WALL_S, FakeClock, MemoryStore
from tests.core import records
from tests.runtime.replica.known import APP, INSTANCE, TAKEN, Gate
from tests.waiting import eventually


@pytest.mark.parametrize("first", ["change", "take-over"])
def test_a_change_here_and_a_take_over_that_arrives_are_both_kept(
    replica: Replica, store: MemoryStore, first: str
) -> None:
    gate = Gate(store)
    changed = replace(INSTANCE, stamp=replica.next_stamp(), version=2, pinned=True)
    deeds = [
        lambda: replica.commit([changed, records.app("mine")], 5.0),
        lambda: replica.absorb([TAKEN, records.app("theirs")], 5.0),
    ]
    writing = [gevent.spawn(deed) for deed in (deeds if first == "change" else deeds[::-1])]
    eventually(lambda: gate.asked > 0)
    gate.open()
    gevent.joinall(writing, raise_error=True)
    both = replace(changed, owner=TAKEN.owner, epoch=TAKEN.epoch)
    assert replica.instance("w1") == both
    assert both in store.load()
    committed = writing[deeds.index(deeds[0]) if first == "change" else 1].value
    assert committed[0] == (changed if first == "change" else both)
    assert [app.name for app in replica.apps()] == ["mine", "shop", "theirs"]


def test_a_change_that_failed_does_not_come_back_with_what_arrived_meanwhile(
    replica: Replica, store: MemoryStore
) -> None:
    gate = Gate(store)
    changed = replace(INSTANCE, stamp=replica.next_stamp(), version=2, pinned=True)
    failing = gevent.spawn(replica.commit, [changed], 5.0)
    eventually(lambda: gate.asked == 1)
    arriving = gevent.spawn(replica.absorb, [TAKEN], 5.0)
    gevent.idle()
    store.failure = StorageFull("The disk is full.")

    def mend(_records: Sequence[Record]) -> None:
        store.failure = None

    store.before_write = mend
    gate.open()
    gevent.joinall([failing, arriving])
    assert isinstance(failing.exception, StorageFull)
    assert arriving.exception is None
    assert replica.instance("w1") == TAKEN
    assert TAKEN in store.load()


def test_writes_of_different_records_do_not_wait_for_each_other(
    replica: Replica, store: MemoryStore
) -> None:
    gate = Gate(store)
    writing = [
        gevent.spawn(replica.commit, [records.app("mine")], 5.0),
        gevent.spawn(replica.absorb, [records.app("theirs")], 5.0),
    ]
    eventually(lambda: gate.asked == 2)
    gate.open()
    gevent.joinall(writing, raise_error=True)


def test_waiting_for_another_write_ends_at_the_deadline(
    replica: Replica, store: MemoryStore
) -> None:
    gate = Gate(store)
    writing = gevent.spawn(replica.commit, [replace(APP, stamp=replica.next_stamp())], 5.0)
    eventually(lambda: gate.asked == 1)
    for deed in (replica.commit, replica.absorb):
        with pytest.raises(DeadlineExceeded, match="did not end in time; nothing changed"):
            deed([replace(APP, stamp=replica.next_stamp())], 0.01)
        with pytest.raises(DeadlineExceeded):
            deed([replace(APP, stamp=replica.next_stamp())], 0.0)
    assert gate.asked == 1
    gate.open()
    writing.get()


def test_a_write_without_time_left_is_not_begun(replica: Replica, store: MemoryStore) -> None:
    with pytest.raises(DeadlineExceeded, match="nothing changed"):
        replica.commit([records.app("late")], 0.0)
    assert (replica.app("late"), store.writes) == (None, [])


_recent = records.instances.map(lambda instance: replace(instance, updated_at=WALL_S))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(_recent, min_size=1, max_size=3)),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
)
def test_whatever_crosses_memory_and_store_come_to_the_same(
    deeds: list[tuple[bool, list[Instance]]], switches: list[int]
) -> None:
    store = MemoryStore()
    replica = Replica(store, FakeClock(), "b1")
    told: list[Record] = []
    replica.listen(lambda heard, _here: told.extend(heard))
    turns = iter(switches)

    def dawdle(_records: Sequence[Record]) -> None:
        for _ in range(next(turns, 0)):
            gevent.sleep(0)

    store.before_write = dawdle
    gevent.joinall(
        [
            gevent.spawn(replica.commit if here else replica.absorb, versions, 5.0)
            for here, versions in deeds
        ],
        raise_error=True,
    )
    everything: list[Record] = [version for _, versions in deeds for version in versions]
    together = reduce(merged, everything[1:], everything[0])
    assert [replica.same(together)] == [together] == store.load()
    assert told[-1] == together
    assert len(replica._being_written) == 0
