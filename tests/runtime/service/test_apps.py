from __future__ import annotations

from typing import Any

import pytest

from cyme.core.model import App, Broker, WorkerSpec
from cyme.errors import (
    Conflict,
    DeadlineExceeded,
    Forbidden,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    StorageUnavailable,
    TooLarge,
)
from cyme.runtime.service import Written, apps, ground
from tests.runtime.service.house import ADMIN, BROKER, OPERATOR, VIEWER, House


def _put(house: House, name: str = "shop", **changes: object) -> Written[App]:
    return house.service.put_app(name, changes, caller=OPERATOR, timeout_s=5.0)


def test_an_app_keeps_the_broker_that_it_was_created_with(house: House) -> None:
    written = _put(house)
    assert (written.created, written.changed) == (True, True)
    assert written.record.spec == WorkerSpec(broker=BROKER)
    assert (written.record.version, written.record.created_at) == (1, house.clock.wall())
    assert house.service.app("shop") == written.record
    assert house.service.app_names() == ["shop"]


def test_an_app_that_is_not_there_can_be_created_unless_its_name_is_reserved(house: House) -> None:
    with pytest.raises(NotFound, match="PUT /shop/ creates it"):
        house.service.app("shop")
    with pytest.raises(NotFound, match=r"named 'events'\. That name is reserved"):
        house.service.app("events")


def test_a_repeated_put_changes_nothing(house: House) -> None:
    first = _put(house, pool="gevent")
    house.clock.advance(60.0)
    again = _put(house, pool="gevent")
    assert again == Written(first.record, created=False, changed=False)
    assert _put(house).changed is False
    assert house.writes == 1


def test_what_is_not_given_stays_and_none_resets(house: House) -> None:
    first = _put(house, pool="gevent", max_concurrency=4, broker=Broker("amqp://h"))
    house.clock.advance(60.0)
    second = _put(house, max_concurrency=None).record
    assert second.spec == WorkerSpec(pool="gevent", broker=Broker("amqp://h"))
    assert second.version == 2
    assert second.stamp > first.record.stamp
    assert second.updated_at == second.created_at + 60.0
    assert _put(house, broker=None).record.spec.broker == BROKER


def test_every_write_is_told_with_its_caller_and_no_value(house: House) -> None:
    _put(house)
    assert house.last_event().kind == "app.created"
    assert house.last_event().reason == "created by otto"
    _put(house, broker=Broker("amqp://me:hush2@h"), pool="solo")
    event = house.last_event()
    assert (event.kind, event.app) == ("app.changed", "shop")
    assert event.reason == "broker, pool changed by otto"
    assert event.data == {"by": "otto", "changed": ["broker", "pool"]}


@pytest.mark.parametrize("name", ["ping", "-x", ""])
def test_refuses_names_that_cannot_be(house: House, name: str) -> None:
    with pytest.raises(InvalidRequest):
        _put(house, name)


@pytest.mark.parametrize(
    "changes", [{"pool": "x"}, {"queues": []}, {"pool": "solo", "max_concurrency": 2}]
)
def test_refuses_parameters_that_cannot_be(house: House, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        _put(house, **changes)
    assert house.writes == 0


def test_a_change_must_fit_every_instance(house: House) -> None:
    house.put("w1", max_concurrency=4)
    with pytest.raises(InvalidRequest, match="'w1' would not fit") as caught:
        _put(house, pool="solo")
    assert caught.value.faults[0].parameter == "max_concurrency"
    assert house.service.app("shop").spec.pool is None


def test_viewers_write_nothing(house: House) -> None:
    with pytest.raises(Forbidden):
        house.service.put_app("shop", {}, caller=VIEWER, timeout_s=5.0)
    _put(house)
    with pytest.raises(Forbidden):
        house.service.delete_app("shop", caller=VIEWER, timeout_s=5.0)


def test_only_an_administrator_changes_what_chooses_code(house: House) -> None:
    with pytest.raises(Forbidden, match="celery_app"):
        _put(house, celery_app="proj")
    house.service.put_app("shop", {"celery_app": "proj"}, caller=ADMIN, timeout_s=5.0)
    # What is as it was is no change, and takes no administrator.
    assert _put(house, celery_app="proj", pool="solo").changed
    with pytest.raises(Forbidden, match="celery_app"):
        _put(house, celery_app=None)


def test_a_version_that_was_read_must_be_the_present_one(house: House) -> None:
    with pytest.raises(PreconditionFailed, match="does not exist"):
        house.service.put_app("shop", {}, caller=OPERATOR, if_match=1, timeout_s=5.0)
    _put(house)
    house.service.put_app("shop", {"pool": "solo"}, caller=OPERATOR, if_match=1, timeout_s=5.0)
    with pytest.raises(PreconditionFailed, match="at version 2 now, not at 1"):
        house.service.put_app("shop", {"pool": None}, caller=OPERATOR, if_match=1, timeout_s=5.0)
    with pytest.raises(PreconditionFailed):
        house.service.delete_app("shop", caller=OPERATOR, if_match=1, timeout_s=5.0)


def test_there_are_not_more_apps_than_the_limit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps, "APPS_MAX", 1)
    _put(house)
    with pytest.raises(TooLarge):
        _put(house, "bar")
    assert _put(house, pool="solo").changed


def test_what_the_database_refuses_did_not_happen(house: House) -> None:
    house.store.failure = StorageUnavailable("It is read-only.")
    with pytest.raises(StorageUnavailable):
        _put(house)
    assert house.service.app_names() == []
    assert house.journal.recent(1) == []
    house.store.failure = None
    assert _put(house).created


def test_no_time_means_no_write(house: House) -> None:
    with pytest.raises(DeadlineExceeded):
        house.service.put_app("shop", {}, caller=OPERATOR, timeout_s=0.0)
    assert house.writes == 0


# --- deleting ------------------------------------------------------------------------------------


def test_an_app_is_deleted_with_its_queues(house: House) -> None:
    house.declare("tasks")
    house.service.delete_app("shop", caller=OPERATOR, if_match=1, timeout_s=5.0)
    with pytest.raises(NotFound):
        house.service.app("shop")
    with pytest.raises(NotFound):
        house.service.queue("shop", "tasks")
    assert house.last_event().kind == "app.deleted"
    with pytest.raises(NotFound):
        house.service.delete_app("shop", caller=OPERATOR, timeout_s=5.0)


def test_an_app_with_instances_is_not_deleted_by_a_slip(house: House) -> None:
    for number in range(ground.NAMES_TOLD_MAX + 2):
        house.put(f"w{number:02}")
    with pytest.raises(Conflict, match=r"w00, w01.*w09 and 2 more"):
        house.service.delete_app("shop", caller=OPERATOR, timeout_s=5.0)
    assert len(house.service.instances_of("shop")) == 12


def test_force_deletes_all_of_it_at_once(house: House) -> None:
    house.declare("tasks")
    house.put("w1")
    house.put("w2")
    before = house.writes
    house.service.delete_app("shop", force=True, caller=OPERATOR, timeout_s=5.0)
    assert house.service.instance_names() == []
    assert house.writes == before + 1
    kinds = [event.kind for event in house.journal.recent(3)]
    assert kinds == ["instance.deleted", "instance.deleted", "app.deleted"]


def test_a_deleted_name_can_be_created_again_and_wins(house: House) -> None:
    first = _put(house, pool="solo").record
    house.service.delete_app("shop", caller=OPERATOR, timeout_s=5.0)
    again = _put(house).record
    assert again.version == first.version + 2
    assert again.stamp > first.stamp
    assert again.spec.pool is None
