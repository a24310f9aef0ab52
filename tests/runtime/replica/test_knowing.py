"""A replica knows what its store has, and changes both together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cyme.core.changes import app_tombstone, instance_tombstone, queue_tombstone
from cyme.core.model import BranchId, Record, Stamp
from cyme.errors import DeadlineExceeded, StorageFull
from cyme.runtime.replica import Replica
from cyme.testing import WALL_S, FakeClock, MemoryStore
from tests.core import records
from tests.runtime.replica.known import APP, INSTANCE, QUEUE, TAKEN


def test_knows_what_the_store_had(replica: Replica) -> None:
    assert replica.loaded
    assert replica.app("shop") == APP
    assert replica.queue("shop", "tasks") == QUEUE
    assert replica.instance("w1") == INSTANCE
    assert replica.instances_of("shop") == [INSTANCE]
    assert replica.instances_owned() == [INSTANCE]
    assert replica.instances_owned("b2") == []
    assert replica.queues_consumed(INSTANCE) == [QUEUE]


def test_knows_nothing_else(replica: Replica) -> None:
    assert replica.app("x") is None
    assert replica.instance("x") is None
    assert replica.queue("shop", "x") is None
    assert replica.queue("x", "tasks") is None
    assert replica.queues_of("x") == []
    assert replica.instances_of("x") == []
    assert replica.app_or_tombstone("x") is None


def test_lists_by_name(replica: Replica) -> None:
    more: list[Record] = [
        records.app("bar"),
        records.instance("a1"),
        records.queue("fast"),
        records.instance("z", app="bar"),
    ]
    replica.commit(more, 1.0)
    assert [app.name for app in replica.apps()] == ["bar", "shop"]
    assert [instance.name for instance in replica.instances()] == ["a1", "w1", "z"]
    assert [instance.name for instance in replica.instances_of("shop")] == ["a1", "w1"]
    assert [queue.name for queue in replica.queues_of("shop")] == ["fast", "tasks"]
    assert replica.count_owned("b1") == 3


def test_what_is_deleted_is_known_as_a_tombstone_only(replica: Replica) -> None:
    later = replica.next_stamp()
    gone: list[Record] = [
        app_tombstone(APP, later, WALL_S),
        queue_tombstone(QUEUE, later, WALL_S),
        instance_tombstone(INSTANCE, later, WALL_S),
    ]
    replica.commit(gone, 1.0)
    assert replica.apps() == []
    assert replica.instances() == []
    assert replica.queues_of("shop") == []
    assert replica.instances_of("shop") == []
    assert replica.count_owned("b1") == 0
    assert [
        replica.app_or_tombstone("shop"),
        replica.queue_or_tombstone("shop", "tasks"),
        replica.instance_or_tombstone("w1"),
    ] == gone


def test_an_instance_that_changes_hands_changes_lists(replica: Replica) -> None:
    replica.apply([replace(INSTANCE, owner=BranchId("b2"), epoch=2)])
    assert replica.instances_owned() == []
    assert [instance.name for instance in replica.instances_owned("b2")] == ["w1"]
    assert [instance.name for instance in replica.instances_of("shop")] == ["w1"]


def test_older_records_change_nothing(replica: Replica) -> None:
    old: list[Record] = [
        replace(APP, stamp=Stamp(0, 0, "b1"), version=9),
        replace(QUEUE, stamp=Stamp(0, 0, "b1"), version=9),
        replace(INSTANCE, stamp=Stamp(-1, 0, "b1"), version=9),
    ]
    replica.apply(old)
    assert (replica.app("shop"), replica.queue("shop", "tasks")) == (APP, QUEUE)
    assert replica.instance("w1") == INSTANCE


def test_a_commit_returns_what_became_of_it(replica: Replica, store: MemoryStore) -> None:
    replica.apply([TAKEN])
    changed = replace(INSTANCE, stamp=replica.next_stamp(), version=2)
    both = replace(changed, owner=TAKEN.owner, epoch=TAKEN.epoch)
    assert replica.commit([changed], 1.0) == [both]
    assert replica.commit([INSTANCE], 1.0) == [both]
    assert store.writes == [(both,)]


def test_listeners_hear_of_a_commit_after_it_was_applied(replica: Replica) -> None:
    heard: list[object] = []

    def listener(committed: Sequence[Record], here: bool) -> None:
        heard.append((committed, here, replica.app("new")))

    replica.listen(listener)
    new = records.app("new")
    replica.commit([new], 1.0)
    assert heard == [([new], True, new)]


def test_what_the_store_refuses_is_not_applied(replica: Replica, store: MemoryStore) -> None:
    heard: list[object] = []
    replica.listen(lambda *told: heard.append(told))
    store.failure = StorageFull("The disk is full.")
    with pytest.raises(StorageFull):
        replica.commit([records.app("new")], 1.0)
    assert replica.app("new") is None
    assert heard == []
    assert replica.storage_fault() == "The disk is full."


def test_a_store_that_is_well_again_ends_a_storage_fault(
    replica: Replica, store: MemoryStore
) -> None:
    store.failure = StorageFull("The disk is full.")
    with pytest.raises(StorageFull):
        replica.commit([records.app("new")], 1.0)
    store.failure = None
    assert replica.storage_fault() is None
    replica.commit([records.app("new")], 1.0)
    assert replica.app("new") is not None


def test_a_write_that_took_too_long_is_not_applied(replica: Replica, store: MemoryStore) -> None:
    store.failure = DeadlineExceeded("slow")
    with pytest.raises(DeadlineExceeded):
        replica.commit([records.app("new")], 1.0)
    assert replica.app("new") is None
    assert replica.storage_fault() is None


def test_stamps_are_later_than_everything_seen(replica: Replica, clock: FakeClock) -> None:
    first = replica.next_stamp()
    assert (first.time_ms, first.origin) == (int(WALL_S * 1000), "b1")
    assert replica.next_stamp() > first
    ahead = Stamp(int(WALL_S * 1000) + 60_000, 5, "b2")
    replica.apply([replace(APP, stamp=ahead)])
    assert replica.next_stamp() == Stamp(ahead.time_ms, 6, "b1")
    replica.apply([replace(QUEUE, stamp=Stamp(ahead.time_ms, 9, "b2"))])
    assert replica.next_stamp().counter == 10
    replica.absorb([replace(INSTANCE, stamp=Stamp(ahead.time_ms, 20, "b2"))], 1.0)
    assert replica.next_stamp().counter == 21
    clock.advance(120.0)
    assert replica.next_stamp().counter == 0


def test_tells_all_records_and_which_are_current(replica: Replica) -> None:
    gone = queue_tombstone(QUEUE, replica.next_stamp(), WALL_S)
    replica.commit([gone], 1.0)
    assert replica.records() == [APP, INSTANCE, gone]
    assert replica.is_current(gone)
    assert replica.is_current(replace(INSTANCE))
    assert not replica.is_current(QUEUE)
    assert not replica.is_current(TAKEN)
    assert not replica.is_current(records.app("unknown"))
