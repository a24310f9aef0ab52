from __future__ import annotations

import pytest

from cyme.core.model import Broker
from cyme.core.tasks import PENDING, Outcome, SendOptions, TaskState, WebhookRequest
from cyme.errors import (
    BrokerRefused,
    BrokerUnavailable,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
)
from tests.runtime.service.house import BROKER, OPERATOR, RESULTS, VIEWER, House

REQUEST = WebhookRequest(method="GET", url="http://m/import_contacts?user=133")
SOON = SendOptions(countdown_s=5.0)


def _send(house: House, queue: str = "tasks") -> str:
    return house.service.send_url("shop", queue, REQUEST, SOON, caller=OPERATOR, timeout_s=5.0)


def test_a_url_goes_to_a_declared_queue_of_the_apps_broker(house: House) -> None:
    house.declare("tasks")
    task_id = _send(house)
    (sent,) = house.tasks.sent
    assert (sent.task_id, sent.request, sent.options) == (task_id, REQUEST, SOON)
    assert (sent.broker, sent.result_backend) == (BROKER, RESULTS)
    assert sent.queue == house.service.queue("shop", "tasks")


def test_a_url_can_go_to_one_instance(house: House) -> None:
    house.put("w1")
    _send(house, "dq.w1")
    (sent,) = house.tasks.sent
    assert sent.queue.name == "dq.w1"
    assert sent.queue.is_plain


def test_refuses_queues_that_nobody_declared(house: House) -> None:
    with pytest.raises(NotFound, match="no app"):
        _send(house)
    house.declare()
    house.put("other", app="bar")
    for queue in ("tasks", "dq.w9", "dq.other"):
        with pytest.raises(NotFound, match="no queue"):
            _send(house, queue)
    assert house.tasks.sent == []


def test_an_instance_on_another_broker_is_not_reached_through_the_app(house: House) -> None:
    house.put("w1", broker=Broker("amqp://other//"))
    with pytest.raises(Conflict, match="another broker"):
        _send(house, "dq.w1")


def test_viewers_queue_nothing(house: House) -> None:
    house.declare("tasks")
    with pytest.raises(Forbidden):
        house.service.send_url("shop", "tasks", REQUEST, SOON, caller=VIEWER, timeout_s=5.0)


@pytest.mark.parametrize("failure", [BrokerUnavailable("away"), BrokerRefused("mismatch")])
def test_what_the_broker_says_reaches_the_caller(
    house: House, failure: BrokerUnavailable | BrokerRefused
) -> None:
    house.declare("tasks")
    house.tasks.failure = failure
    with pytest.raises(type(failure)):
        _send(house)


@pytest.mark.parametrize(
    ("changes", "backend"),
    [
        ({"broker": Broker("amqp://h")}, None),
        ({"broker": Broker("redis://h/3")}, "redis://h/3"),
        ({"result_backend": "redis://r/9"}, "redis://r/9"),
    ],
)
def test_results_are_kept_where_the_app_says(
    house: House, changes: dict[str, object], backend: str | None
) -> None:
    house.declare("tasks")
    house.service.put_app("shop", changes, caller=OPERATOR, timeout_s=5.0)
    _send(house)
    assert house.tasks.sent[0].result_backend == backend


def test_tells_what_became_of_a_task(house: House) -> None:
    house.declare()
    done = Outcome(state=TaskState.SUCCESS, result={"status_code": 200})
    house.tasks.outcomes["id"] = done
    assert house.service.outcome("shop", "id", timeout_s=1.0) == done
    assert house.service.wait("shop", "id", wait_s=1.0) == done
    assert house.service.outcome("shop", "unknown", timeout_s=1.0) == PENDING


def test_refuses_what_can_be_no_task(house: House) -> None:
    house.declare()
    with pytest.raises(NotFound):
        house.service.outcome("nope", "id", timeout_s=1.0)
    for task_id in ("", "x" * 300, "a\nb"):
        with pytest.raises(InvalidRequest):
            house.service.wait("shop", task_id, wait_s=1.0)
