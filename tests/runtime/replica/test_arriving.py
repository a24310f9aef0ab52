"""What arrives from other branches is taken in within bounds, and in time forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import gevent
import pytest

from cyme.core.changes import app_tombstone, instance_tombstone, queue_tombstone
from cyme.core.model import App, Instance, Queue, Record, Stamp
from cyme.errors import InvalidRequest, StorageFull, TooLarge
from cyme.runtime import replica as module
from cyme.runtime.replica import ABSORBED_MAX, DROPPED_TOLD_PERIOD_S, TOMBSTONE_S, Replica
from cyme.testing import WALL_S, FakeClock, MemoryStore
from tests.core import records
from tests.runtime.replica.known import APP, INSTANCE, QUEUE, TAKEN, Gate
from tests.waiting import eventually

# --- what arrives --------------------------------------------------------------------------------


def test_what_arrives_is_made_durable_and_told_as_written_elsewhere(
    replica: Replica, store: MemoryStore
) -> None:
    told: list[tuple[Sequence[Record], bool]] = []
    replica.listen(lambda *heard: told.append(heard))
    new, later = records.app("new"), replace(QUEUE, stamp=Stamp(2, 0, "b2"), version=2)
    assert replica.absorb([new, APP, later, INSTANCE], 1.0) == []
    assert (replica.app("new"), replica.queue("shop", "tasks")) == (new, later)
    assert told == [([new, later], False)]
    assert store.writes == [(new, later)]


def test_what_is_known_is_neither_written_nor_told(replica: Replica, store: MemoryStore) -> None:
    told: list[object] = []
    replica.listen(lambda *heard: told.append(heard))
    older = replace(INSTANCE, stamp=Stamp(-1, 0, "b2"))
    assert replica.absorb([APP, QUEUE, INSTANCE, older, APP], 1.0) == []
    assert (told, store.writes) == ([], [])


def test_versions_of_one_record_that_arrive_together_are_one(
    replica: Replica, store: MemoryStore
) -> None:
    changed = replace(INSTANCE, stamp=Stamp(5, 0, "b1"), version=2, pinned=True)
    replica.absorb([changed, INSTANCE, TAKEN], 1.0)
    both = replace(changed, owner=TAKEN.owner, epoch=TAKEN.epoch)
    assert replica.instance("w1") == both
    assert store.writes == [(both,)]


def test_takes_in_a_bounded_number_at_a_time(replica: Replica, store: MemoryStore) -> None:
    many = [records.queue(f"q{number}") for number in range(ABSORBED_MAX + 1)]
    with pytest.raises(TooLarge, match="1001 records came at once; at most 1000"):
        replica.absorb(many, 1.0)
    assert store.writes == []
    assert replica.absorb(many[1:], 1.0) == []
    assert len(replica.queues_of("shop")) == ABSORBED_MAX + 1


def test_holds_a_bounded_number_of_each_kind(
    replica: Replica,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "HELD_MAX", {App: 2, Instance: 1, Queue: 3})
    queues = [records.queue(f"q{number}", app="other") for number in range(5)]
    apps = [records.app("a1"), records.app("a2")]
    assert replica.absorb([*apps, records.instance("w2"), *queues], 1.0) == [
        apps[1],
        records.instance("w2"),
        *queues[2:],
    ]
    assert [replica.count(kind, deleted=False) for kind in (App, Instance, Queue)] == [2, 1, 3]
    assert replica.absorb([TAKEN], 1.0) == [], "what is known may change"
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "dropped records of other branches: 1, the last as: there are too many to hold"
    ]
    clock.advance(DROPPED_TOLD_PERIOD_S)
    assert replica.absorb([apps[1]], 1.0) == [apps[1]]
    assert "dropped records of other branches: 5, the last as" in caplog.text


def test_what_was_deleted_takes_no_room_of_what_is_there(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELD_MAX", {App: 1, Instance: 1, Queue: 1})
    replica.commit([queue_tombstone(QUEUE, replica.next_stamp(), WALL_S)], 1.0)
    other, third = records.queue("other"), records.queue("third")
    assert replica.absorb([other], 1.0) == []
    assert replica.absorb([third], 1.0) == [third]


def test_room_for_tombstones_is_made_by_forgetting(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELD_MAX", {App: 1, Instance: 1, Queue: 1})
    replica.commit([queue_tombstone(QUEUE, replica.next_stamp(), WALL_S)], 1.0)
    assert replica.count(Queue, deleted=True) == 1
    gone = queue_tombstone(records.queue("gone"), Stamp(1, 0, "b2"), WALL_S)
    assert replica.absorb([gone], 1.0) == [gone]
    replica.prune(WALL_S + TOMBSTONE_S + 1)
    assert replica.count(Queue, deleted=True) == 0
    assert replica.absorb([gone], 1.0) == []


def test_what_no_database_stores_spoils_nothing_else(
    replica: Replica, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(written: Sequence[Record]) -> None:
        if any(record.name == "bad" for record in written):
            raise InvalidRequest.of("name", "cannot be stored")

    store.before_write = refuse
    good, bad, fine = (records.app(name) for name in ("good", "bad", "fine"))
    assert replica.absorb([good, bad, fine], 1.0) == [bad]
    assert [app.name for app in replica.apps()] == ["fine", "good", "shop"]
    assert "name: cannot be stored" in caplog.text


def test_what_the_store_does_not_take_is_not_absorbed(replica: Replica, store: MemoryStore) -> None:
    store.failure = StorageFull("The disk is full.")
    with pytest.raises(StorageFull):
        replica.absorb([TAKEN], 1.0)
    assert replica.instance("w1") == INSTANCE
    assert replica.storage_fault() == "The disk is full."


def test_what_is_stamped_too_far_ahead_is_not_taken_in(replica: Replica, clock: FakeClock) -> None:
    ahead_ms = int((clock.wall() + module.CLOCK_AHEAD_S_MAX) * 1000)
    far = replace(records.app("far"), stamp=Stamp(ahead_ms + 1, 0, "b2"))
    near = replace(records.app("near"), stamp=Stamp(ahead_ms, 0, "b2"))
    assert replica.absorb([far, near], 1.0) == [far]
    assert replica.app("far") is None
    assert replica.app("near") == near
    assert replica.next_stamp().time_ms == ahead_ms


# --- forgetting ----------------------------------------------------------------------------------


def test_tombstones_are_forgotten_after_seven_days(replica: Replica, store: MemoryStore) -> None:
    forgotten: list[Record] = []
    replica.listen_forgotten(forgotten.extend)
    later = replica.next_stamp()
    other = records.queue("other")
    replica.commit([other], 1.0)
    tombstones: list[Record] = [
        app_tombstone(APP, later, WALL_S),
        instance_tombstone(INSTANCE, later, WALL_S),
        queue_tombstone(QUEUE, later, WALL_S),
        queue_tombstone(other, later, WALL_S),
    ]
    replica.commit([*tombstones, records.app("kept")], 1.0)
    assert replica.prune(WALL_S + TOMBSTONE_S - 1) == 0
    assert forgotten == []
    assert replica.prune(WALL_S + TOMBSTONE_S + 1) == 4
    assert replica.prune(WALL_S + TOMBSTONE_S + 1) == 0
    assert forgotten == tombstones
    assert [record.name for record in store.load()] == ["kept"]
    assert [record.name for record in replica.records()] == ["kept"]
    assert replica.app_or_tombstone("shop") is None
    assert replica.queue_or_tombstone("shop", "tasks") is None
    assert replica.instance_or_tombstone("w1") is None


def test_what_is_created_again_while_it_is_forgotten_stays(
    replica: Replica, store: MemoryStore
) -> None:
    tombstone = instance_tombstone(INSTANCE, replica.next_stamp(), WALL_S)
    replica.commit([tombstone], 1.0)
    again = replace(INSTANCE, generation=2, version=3, stamp=replica.next_stamp())
    gate = Gate(store)
    creating = gevent.spawn(replica.commit, [again], 5.0)
    eventually(lambda: gate.asked == 1)
    pruning = gevent.spawn(replica.prune, WALL_S + TOMBSTONE_S + 1)
    gevent.idle()
    gate.open()
    gevent.joinall([creating, pruning], raise_error=True)
    assert pruning.value == 0
    assert replica.instance("w1") == again
    assert again in store.load()


def test_a_tombstone_that_was_forgotten_is_not_taken_in_again(
    replica: Replica, store: MemoryStore, clock: FakeClock
) -> None:
    tombstone = instance_tombstone(records.instance("old"), Stamp(3, 0, "b2"), WALL_S)
    clock.advance(TOMBSTONE_S + 1)
    assert replica.absorb([tombstone], 1.0) == [tombstone]
    assert store.writes == []
    anew = replace(records.instance("old"), created_at=clock.wall(), updated_at=clock.wall())
    replica.commit([anew], 1.0)
    assert replica.absorb([tombstone], 1.0) == [tombstone]
    assert replica.instance("old") == anew


def test_an_old_tombstone_of_what_lived_before_it_deletes(
    replica: Replica, clock: FakeClock
) -> None:
    tombstone = instance_tombstone(INSTANCE, Stamp(3, 0, "b2"), WALL_S)
    clock.advance(TOMBSTONE_S + 1)
    assert replica.absorb([tombstone], 1.0) == []
    assert replica.instance("w1") is None
