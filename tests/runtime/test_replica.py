from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import gevent
import pytest
from gevent.event import Event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cyme.core.changes import app_tombstone, instance_tombstone, queue_tombstone
from cyme.core.model import App, BranchId, Instance, Queue, QueueName, Record, Stamp, merged
from cyme.errors import DeadlineExceeded, InvalidRequest, StorageFull, TooLarge
from cyme.runtime import replica as module
from cyme.runtime.replica import (
    ABSORBED_MAX,
    DROPPED_TOLD_PERIOD_S,
    STORAGE_FAULT_SHOWN_S,
    TOMBSTONE_S,
    Replica,
)
from cyme.testing import WALL_S, FakeClock, MemoryStore
from tests.core import records
from tests.waiting import eventually

APP = records.app()
QUEUE = records.queue()
INSTANCE = replace(records.instance(), queues=(QueueName("tasks"), QueueName("gone")))

#: The instance after another branch has taken it over.
TAKEN = replace(INSTANCE, owner=BranchId("b2"), epoch=2)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore([APP, QUEUE, INSTANCE])


@pytest.fixture
def replica(store: MemoryStore, clock: FakeClock) -> Replica:
    replica = Replica(store, clock, "b1")
    replica.load()
    return replica


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


def test_what_the_store_refuses_is_not_applied(
    replica: Replica, store: MemoryStore, clock: FakeClock
) -> None:
    heard: list[object] = []
    replica.listen(lambda *told: heard.append(told))
    store.failure = StorageFull("The disk is full.")
    with pytest.raises(StorageFull):
        replica.commit([records.app("new")], 1.0)
    assert replica.app("new") is None
    assert heard == []
    assert replica.storage_fault() == "The disk is full."
    clock.advance(STORAGE_FAULT_SHOWN_S + 1)
    assert replica.storage_fault() is None


def test_a_write_that_succeeds_ends_a_storage_fault(replica: Replica, store: MemoryStore) -> None:
    store.failure = StorageFull("The disk is full.")
    with pytest.raises(StorageFull):
        replica.commit([records.app("new")], 1.0)
    store.failure = None
    replica.commit([records.app("new")], 1.0)
    assert replica.storage_fault() is None


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
    assert [replica.count(kind) for kind in (App, Instance, Queue)] == [2, 1, 3]
    assert replica.absorb([TAKEN], 1.0) == [], "what is known may change"
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "dropped records of other branches: 1, the last as: there are too many to hold"
    ]
    clock.advance(DROPPED_TOLD_PERIOD_S)
    assert replica.absorb([apps[1]], 1.0) == [apps[1]]
    assert "dropped records of other branches: 5, the last as" in caplog.text


def test_room_is_made_by_forgetting(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_MAX", {App: 1, Instance: 1, Queue: 1})
    replica.commit([queue_tombstone(QUEUE, replica.next_stamp(), WALL_S)], 1.0)
    other = records.queue("other")
    assert replica.absorb([other], 1.0) == [other]
    replica.prune(WALL_S + TOMBSTONE_S + 1)
    assert replica.absorb([other], 1.0) == []


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


# --- writes that cross ---------------------------------------------------------------------------


class Gate:
    """Holds the writes of a store until it is opened."""

    def __init__(self, store: MemoryStore) -> None:
        self.asked = 0
        self._open = Event()
        store.before_write = self._pass

    def open(self) -> None:
        self._open.set()

    def _pass(self, _records: Sequence[Record]) -> None:
        self.asked += 1
        self._open.wait()


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


# --- all of it -----------------------------------------------------------------------------------


def test_tells_all_records_and_which_are_current(replica: Replica) -> None:
    gone = queue_tombstone(QUEUE, replica.next_stamp(), WALL_S)
    replica.commit([gone], 1.0)
    assert replica.records() == [APP, INSTANCE, gone]
    assert replica.is_current(gone)
    assert replica.is_current(replace(INSTANCE))
    assert not replica.is_current(QUEUE)
    assert not replica.is_current(TAKEN)
    assert not replica.is_current(records.app("unknown"))


def test_what_is_stamped_too_far_ahead_is_not_taken_in(replica: Replica, clock: FakeClock) -> None:
    ahead_ms = int((clock.wall() + module.CLOCK_AHEAD_S_MAX) * 1000)
    far = replace(records.app("far"), stamp=Stamp(ahead_ms + 1, 0, "b2"))
    near = replace(records.app("near"), stamp=Stamp(ahead_ms, 0, "b2"))
    assert replica.absorb([far, near], 1.0) == [far]
    assert replica.app("far") is None
    assert replica.app("near") == near
    assert replica.next_stamp().time_ms == ahead_ms
