"""Many writes at once: none is lost, and none slips through another."""

from __future__ import annotations

from collections.abc import Sequence

import gevent
import pytest
from gevent.event import Event

from cyme.core.model import Instance, Record
from cyme.errors import Conflict, NotFound
from cyme.runtime.service import Written
from tests.runtime.service.house import OPERATOR, House
from tests.waiting import eventually


def _put(house: House, name: str) -> Written[Instance]:
    return house.service.put_instance("shop", name, {}, caller=OPERATOR, timeout_s=30.0)


def test_no_change_is_lost_when_many_write_one_record(house: House) -> None:
    house.declare(*(f"q{n}" for n in range(20)))
    _put(house, "w1")
    house.store.before_write = lambda _records: gevent.idle()
    writes = [
        gevent.spawn(
            house.service.add_consumer, "shop", "w1", f"q{n}", caller=OPERATOR, timeout_s=30.0
        )
        for n in range(20)
    ]
    gevent.joinall(writes, timeout=30.0, raise_error=True)
    record = house.service.instance("w1")
    assert len(record.queues) == 20
    assert record.version == 21


class Gate:
    """Holds up every write until it is opened."""

    def __init__(self, house: House) -> None:
        self.under_way: list[Sequence[Record]] = []
        self._opened = Event()
        house.store.before_write = self._wait

    def _wait(self, records: Sequence[Record]) -> None:
        self.under_way.append(records)
        assert self._opened.wait(30.0)

    def open(self) -> None:
        self._opened.set()


def test_writes_of_different_records_do_not_wait_for_each_other(house: House) -> None:
    house.declare()
    gate = Gate(house)
    creations = [gevent.spawn(_put, house, f"w{n}") for n in range(10)]
    eventually(lambda: len(gate.under_way) == 10)
    gate.open()
    gevent.joinall(creations, timeout=30.0, raise_error=True)


def test_an_app_is_not_deleted_under_an_instance_that_is_being_created(house: House) -> None:
    house.declare()
    gate = Gate(house)
    creation = gevent.spawn(_put, house, "w1")
    eventually(lambda: gate.under_way)
    deletion = gevent.spawn(house.service.delete_app, "shop", caller=OPERATOR, timeout_s=30.0)
    gevent.idle()
    gate.open()
    assert creation.get(timeout=30.0).created
    with pytest.raises(Conflict, match="has instances: w1"):
        deletion.get(timeout=30.0)


def test_an_instance_is_not_created_in_an_app_that_is_being_deleted(house: House) -> None:
    house.declare()
    gate = Gate(house)
    deletion = gevent.spawn(house.service.delete_app, "shop", caller=OPERATOR, timeout_s=30.0)
    eventually(lambda: gate.under_way)
    creation = gevent.spawn(_put, house, "w1")
    gevent.idle()
    gate.open()
    deletion.get(timeout=30.0)
    with pytest.raises(Conflict, match="was deleted at this moment"):
        creation.get(timeout=30.0)
    assert house.replica.instances() == []


def test_an_instance_does_not_come_to_a_queue_that_is_being_deleted(house: House) -> None:
    house.declare("tasks")
    house.put("w1")
    gate = Gate(house)
    service = house.service
    deletion = gevent.spawn(service.delete_queue, "shop", "tasks", caller=OPERATOR, timeout_s=30.0)
    eventually(lambda: gate.under_way)
    addition = gevent.spawn(
        service.add_consumer, "shop", "w1", "tasks", caller=OPERATOR, timeout_s=30.0
    )
    gevent.idle()
    gate.open()
    deletion.get(timeout=30.0)
    with pytest.raises(NotFound):
        addition.get(timeout=30.0)


def test_two_first_instances_create_their_app_once(house: House) -> None:
    house.store.before_write = lambda _records: gevent.idle()
    creations = [gevent.spawn(_put, house, f"w{n}") for n in range(5)]
    gevent.joinall(creations, timeout=30.0, raise_error=True)
    assert [event.kind for event in house.journal.recent(99)].count("app.created") == 1
    assert house.service.app("shop").version == 1
