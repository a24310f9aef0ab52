from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from cyme.adapters.database.records import (
    app_of,
    broker_digest,
    broker_row,
    instance_of,
    queue_of,
    row_of,
)
from cyme.core.model import App, BranchId, Broker, Instance, Record, Stamp
from cyme.errors import InvalidRequest

from .samples import app, instance, queue, records


@settings(deadline=None)
@given(records)
def test_a_record_survives_being_a_row(record: Record) -> None:
    row = row_of(record)
    match record:
        case App():
            assert app_of(row, _brokers(record.spec.broker)) == record
        case Instance():
            assert instance_of(row, _brokers(record.spec.broker)) == record
        case _:
            assert queue_of(row) == record


def test_a_broker_has_its_parts_in_columns() -> None:
    row = broker_row(Broker("amqp://us%2Fer:p%40ss@rabbit:5673/v%2Fh"))
    del row["digest"], row["url"]
    assert row == {
        "hostname": "rabbit",
        "port": 5673,
        "userid": "us/er",
        "password": "p@ss",
        "virtual_host": "v/h",
    }


@pytest.mark.parametrize("text", ["a\0b", "half \ud800 pair"])
def test_refuses_text_that_no_database_stores(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        row_of(app(text))
    assert caught.value.faults[0].parameter == "name"


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (app("n" * 129), "name"),
        (replace(instance(), owner=BranchId("o" * 129)), "owner"),
        (replace(queue(), stamp=Stamp(1, 0, "o" * 129)), "stamp_origin"),
        (replace(queue(), updated_at=float("inf")), "updated_at"),
        (replace(instance(), epoch=2**63), "epoch"),
        (replace(instance(), stamp=Stamp(-(2**63), 0, "b")), "stamp_ms"),
    ],
)
def test_refuses_what_one_database_stores_and_another_does_not(record: Record, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        row_of(record)
    assert [fault.parameter for fault in caught.value.faults] == [field]


@pytest.mark.parametrize("url", ["amqp://h:port/", "amqp://h/\ud800", "amqp://[h/"])
def test_refuses_a_broker_that_cannot_be_taken_apart(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        broker_row(Broker(url))
    assert caught.value.faults


def _brokers(broker: Broker | None) -> dict[str, Broker]:
    return {broker_digest(broker.url): broker} if broker else {}
