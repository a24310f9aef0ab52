from __future__ import annotations

import pytest

from cyme.core.launch import WorkerDefaults, launch_of
from cyme.core.model import Broker
from cyme.errors import Conflict, InvalidRequest
from tests.runtime.service.house import ADMIN, BROKER, OPERATOR, House


def test_limits_are_read_and_changed(house: House) -> None:
    house.put("w1")
    assert house.service.autoscale("shop", "w1") == (1, 1)
    written = house.service.set_autoscale(
        "shop", "w1", maximum=5, minimum=2, caller=OPERATOR, timeout_s=5.0
    )
    assert written.changed
    assert house.service.autoscale("shop", "w1") == (5, 2)
    house.service.set_autoscale(
        "shop", "w1", maximum=7, minimum=None, caller=OPERATOR, timeout_s=5.0
    )
    assert house.service.autoscale(None, "w1") == (7, 2)


def test_limits_are_checked_by_the_names_that_the_caller_used(house: House) -> None:
    house.put("w1")
    with pytest.raises(InvalidRequest) as caught:
        house.service.set_autoscale(
            "shop", "w1", maximum=2, minimum=5, caller=OPERATOR, timeout_s=5.0
        )
    assert caught.value.faults[0].parameter == "min"


def test_a_pool_that_cannot_grow_takes_one_number(house: House) -> None:
    house.put("w1", pool="threads")
    house.service.set_autoscale("shop", "w1", maximum=5, minimum=5, caller=OPERATOR, timeout_s=5.0)
    assert house.service.autoscale("shop", "w1") == (5, 5)
    house.service.set_autoscale(
        "shop", "w1", maximum=7, minimum=None, caller=OPERATOR, timeout_s=5.0
    )
    assert house.service.autoscale("shop", "w1") == (7, 7)
    with pytest.raises(InvalidRequest, match="cannot change its concurrency while it runs"):
        house.service.set_autoscale(
            "shop", "w1", maximum=5, minimum=1, caller=OPERATOR, timeout_s=5.0
        )


def test_statistics_come_from_the_running_worker(house: House) -> None:
    house.put("w1")
    with pytest.raises(Conflict, match="is pending"):
        house.service.stats("shop", "w1", timeout_s=1.0)
    house.supervisor.runs("w1")
    record = house.service.instance("w1")
    defaults = WorkerDefaults(branch="b1", directory="/d", python="/p")
    house.workers.start(launch_of(record, house.service.effective(record), (), defaults))
    house.clock.advance(5.0)
    assert house.service.stats("shop", "w1", timeout_s=1.0)["pool"]
    assert house.controls.calls == [("stats", "w1@b1")]


def test_an_instance_may_use_a_broker_of_its_own(house: House) -> None:
    other = Broker("amqp://other//")
    record = house.put("w1", broker=other)
    assert house.service.effective(record).broker == other
    assert house.service.app("shop").spec.broker == BROKER
    assert ADMIN.name == house.last_event().data["by"]
