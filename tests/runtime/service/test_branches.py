from __future__ import annotations

import pytest
from gevent.event import Event

from cyme.core.events import Event as HappenedEvent
from cyme.errors import NotFound, StorageUnavailable
from cyme.runtime.replica import Replica
from tests.runtime.service.house import OPERATOR, House


def _history(house: House, app: str | None, name: str) -> tuple[HappenedEvent, ...]:
    return house.service.history(app, name, timeout_s=1.0)


def test_branches_are_listed_and_described(house: House) -> None:
    assert house.service.branch_ids() == ["b1", "b2"]
    assert house.service.branch("b1").instances_max == 100
    with pytest.raises(NotFound):
        house.service.branch("b9")


def test_what_happened_to_an_instance_is_told_even_when_it_is_gone(house: House) -> None:
    house.put("w1")
    house.service.delete_instance("w1", caller=OPERATOR, timeout_s=5.0)
    kinds = [event.kind for event in _history(house, "shop", "w1")]
    assert kinds == ["instance.created", "instance.deleted"]
    assert len(_history(house, None, "w1")) == 2
    with pytest.raises(NotFound):
        _history(house, "shop", "w9")
    house.declare(app="bar")
    with pytest.raises(NotFound):
        _history(house, "bar", "w1")


def test_ready_when_records_are_read_and_written(house: House) -> None:
    assert house.service.ready() == []
    house.store.failure = StorageUnavailable("It is read-only.")
    with pytest.raises(StorageUnavailable):
        house.put("w1")
    assert house.service.ready() == ["the database does not take writes: It is read-only."]
    house.clock.advance(3600.0)
    assert house.service.ready(), "it is so until it is not, also where nobody writes"
    house.store.failure = None
    assert house.service.ready() == []


def test_not_ready_before_records_are_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    unread = Replica(house.store, house.clock, "b1")
    monkeypatch.setattr(house.service, "_replica", unread)
    assert house.service.ready() == ["the records are not read yet"]


def test_a_write_may_be_made_later(house: House) -> None:
    done = Event()
    house.service.later(done.set)
    assert done.wait(5.0)
