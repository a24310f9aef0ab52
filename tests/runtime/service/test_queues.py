from __future__ import annotations

import pytest

from cyme.core.model import Queue
from cyme.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    TooLarge,
)
from cyme.runtime.service import Written, consumers, queues
from tests.runtime.service.house import OPERATOR, VIEWER, House


@pytest.fixture(autouse=True)
def _app(house: House) -> None:
    house.declare()


def _put(house: House, name: str = "tasks", **declaration: str | None) -> Written[Queue]:
    return house.service.put_queue(
        "shop",
        name,
        caller=OPERATOR,
        timeout_s=5.0,
        **declaration,  # type: ignore[arg-type]
    )


def test_a_queue_may_be_declared_by_its_name_alone(house: House) -> None:
    written = _put(house)
    assert (written.created, written.changed) == (True, True)
    queue = written.record
    assert (queue.exchange, queue.exchange_type, queue.routing_key, queue.options) == (None,) * 4
    assert house.service.queue("shop", "tasks") == queue
    assert house.service.queue_names("shop") == ["tasks"]
    assert house.last_event().reason == "queue 'tasks' declared by otto"


def test_what_is_not_given_stays_and_none_resets(house: House) -> None:
    first = _put(house, exchange="e", routing_key="r", options='{"durable": false}')
    second = _put(house, routing_key=None)
    queue = second.record
    assert (second.created, second.changed, queue.version) == (False, True, 2)
    assert (queue.exchange, queue.routing_key) == ("e", None)
    assert queue.options == '{"durable": false}'
    assert queue.stamp > first.record.stamp
    assert house.last_event().kind == "queue.changed"


def test_a_repeated_put_changes_nothing(house: House) -> None:
    _put(house, exchange="e", options='{"durable":false}')
    before = house.writes
    assert not _put(house, exchange="e", options='{ "durable" : false }').changed
    assert not _put(house).changed
    assert house.writes == before


def test_refuses_declarations_that_cannot_be(house: House) -> None:
    with pytest.raises(InvalidRequest):
        _put(house, exchange_type="odd")
    with pytest.raises(InvalidRequest, match="direct queues"):
        _put(house, "dq.w1")
    with pytest.raises(NotFound, match="no app named 'nope'"):
        house.service.put_queue("nope", "tasks", caller=OPERATOR, timeout_s=5.0)
    assert house.service.queue_names("shop") == []


def test_a_version_that_was_read_must_be_the_present_one(house: House) -> None:
    _put(house)
    _put(house, exchange="e")
    with pytest.raises(PreconditionFailed):
        house.service.put_queue(
            "shop", "tasks", exchange="f", caller=OPERATOR, if_match=1, timeout_s=5.0
        )
    with pytest.raises(PreconditionFailed):
        house.service.delete_queue("shop", "tasks", caller=OPERATOR, if_match=1, timeout_s=5.0)


def test_viewers_write_nothing(house: House) -> None:
    service = house.service
    for write in (
        lambda: service.put_queue("shop", "q", caller=VIEWER, timeout_s=5.0),
        lambda: service.delete_queue("shop", "q", caller=VIEWER, timeout_s=5.0),
        lambda: service.add_consumer("shop", "w1", "q", caller=VIEWER, timeout_s=5.0),
        lambda: service.cancel_consumer("shop", "w1", "q", caller=VIEWER, timeout_s=5.0),
    ):
        with pytest.raises(Forbidden):
            write()


def test_an_app_has_not_more_queues_than_the_limit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "QUEUES_PER_APP_MAX", 1)
    _put(house)
    with pytest.raises(TooLarge):
        _put(house, "more")
    assert _put(house, exchange="e").changed


def test_a_deleted_name_can_be_declared_again_and_wins(house: House) -> None:
    first = _put(house, exchange="e").record
    house.service.delete_queue("shop", "tasks", caller=OPERATOR, timeout_s=5.0)
    assert house.service.queue_names("shop") == []
    again = _put(house).record
    assert (again.version, again.exchange) == (first.version + 2, None)
    assert again.stamp > first.stamp


# --- consumers -----------------------------------------------------------------------------------


def test_an_instance_consumes_from_declared_queues(house: House) -> None:
    house.put("w1")
    with pytest.raises(NotFound, match="PUT /shop/queues/tasks/ declares it"):
        house.service.add_consumer("shop", "w1", "tasks", caller=OPERATOR, timeout_s=5.0)
    _put(house)
    assert house.service.add_consumer("shop", "w1", "tasks", caller=OPERATOR, timeout_s=5.0)
    assert house.service.consumers("shop", "w1") == ["tasks"]
    event = house.last_event()
    assert (event.kind, event.data["queue"]) == ("instance.consumer-added", "tasks")
    assert house.service.instance("w1").version == 2


def test_consuming_twice_is_consuming_once(house: House) -> None:
    house.put("w1")
    _put(house)
    assert house.service.add_consumer("shop", "w1", "tasks", caller=OPERATOR, timeout_s=5.0)
    assert not house.service.add_consumer("shop", "w1", "tasks", caller=OPERATOR, timeout_s=5.0)
    assert not house.service.add_consumer("shop", "w1", "dq.w1", caller=OPERATOR, timeout_s=5.0)
    assert house.service.instance("w1").version == 2


def test_an_instance_stops_consuming(house: House) -> None:
    house.declare("a", "b")
    house.put("w1", queues=["a", "b"])
    house.service.cancel_consumer("shop", "w1", "a", caller=OPERATOR, timeout_s=5.0)
    assert house.service.consumers("shop", "w1") == ["b"]
    assert house.last_event().kind == "instance.consumer-cancelled"
    with pytest.raises(NotFound, match="does not consume"):
        house.service.cancel_consumer("shop", "w1", "a", caller=OPERATOR, timeout_s=5.0)
    with pytest.raises(Conflict, match="direct queue"):
        house.service.cancel_consumer("shop", "w1", "dq.w1", caller=OPERATOR, timeout_s=5.0)


def test_an_instance_consumes_from_not_more_queues_than_the_limit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "QUEUES_PER_INSTANCE_MAX", 1)
    house.declare("a", "b")
    house.put("w1", queues=["a"])
    with pytest.raises(TooLarge):
        house.service.add_consumer("shop", "w1", "b", caller=OPERATOR, timeout_s=5.0)


def test_a_queue_with_consumers_is_not_deleted_by_a_slip(house: House) -> None:
    house.declare("tasks", "other")
    house.put("w1", queues=["tasks", "other"])
    house.put("w2", queues=["other"])
    with pytest.raises(Conflict, match=r"'tasks': w1\. Cancel that first"):
        house.service.delete_queue("shop", "tasks", caller=OPERATOR, timeout_s=5.0)
    before = house.writes
    house.service.delete_queue("shop", "tasks", force=True, caller=OPERATOR, timeout_s=5.0)
    assert house.writes == before + 1
    assert house.service.consumers("shop", "w1") == ["other"]
    assert house.service.queue_names("shop") == ["other"]
    assert house.last_event().kind == "queue.deleted"
    with pytest.raises(NotFound):
        house.service.delete_queue("shop", "tasks", caller=OPERATOR, timeout_s=5.0)
