from __future__ import annotations

import base64
import contextlib
import json
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.adapters.celery_events.decoding import (
    BATCH_MAX,
    MESSAGE_BYTES_MAX,
    events_in,
    events_in_envelope,
)
from cyme.core.task_events import TaskDeed, TaskEvent, WorkerEvent

NOW = 1_800_000_000.0
RECEIVED = {
    "type": "task-received",
    "uuid": "u1",
    "name": "proj.add",
    "hostname": "w1@b1",
    "timestamp": NOW - 1,
    "args": "('hush',)",
    "kwargs": "{}",
    "retries": 2,
    "eta": None,
    "utcoffset": 0,
    "clock": 7,
}


def events_of(*told: dict[str, Any], now: float = NOW) -> list[TaskEvent | WorkerEvent]:
    return events_in(json.dumps(told if len(told) != 1 else told[0]), "application/json", now)


def test_an_event_is_read_without_what_the_task_was_called_with() -> None:
    (event,) = events_of(RECEIVED)
    assert event == TaskEvent(TaskDeed.RECEIVED, "u1", "w1@b1", NOW - 1, name="proj.add", retries=2)
    assert "hush" not in repr(event)


def test_a_batch_is_all_its_events_in_order() -> None:
    success = {"type": "task-succeeded", "uuid": "u1", "hostname": "w1@b1", "runtime": 0.5}
    first, second = events_of(RECEIVED, {**success, "result": "'hush'"})
    assert isinstance(first, TaskEvent)
    assert second == TaskEvent(TaskDeed.SUCCEEDED, "u1", "w1@b1", NOW, runtime_s=0.5)


def test_of_a_batch_that_is_too_long_the_beginning_is_read() -> None:
    assert len(events_of(*[RECEIVED] * (BATCH_MAX + 10))) == BATCH_MAX


@pytest.mark.parametrize("body", [RECEIVED, [RECEIVED, RECEIVED]])
def test_msgpack_is_read_as_well(body: Any) -> None:
    packed = msgspec.msgpack.encode(body)
    events = events_in(memoryview(packed), "application/x-msgpack", NOW)
    assert events == events_in(json.dumps(body).encode(), None, NOW)
    assert len(events) == (2 if isinstance(body, list) else 1)


def test_a_worker_tells_of_itself() -> None:
    life = {"hostname": "w1@b1", "timestamp": NOW, "active": 3, "freq": 60}
    for kind, online in (("online", True), ("heartbeat", True), ("offline", False)):
        (event,) = events_of({"type": f"worker-{kind}", **life})
        assert event == WorkerEvent("w1@b1", NOW, online, 3, 60.0)
    assert events_of({"type": "worker-heartbeat"}) == []


@pytest.mark.parametrize("name", ["cyme.tasks.webhook", "proj.add"])
def test_only_of_a_queued_url_it_is_told_what_it_is(name: str) -> None:
    kwargs = repr({"method": "GET", "url": "http://me:hush@host/path?token=hush"})
    (event,) = events_of({**RECEIVED, "name": name, "kwargs": kwargs})
    assert isinstance(event, TaskEvent)
    assert event.url == ("http://host/path" if name == "cyme.tasks.webhook" else "")
    (odd,) = events_of({**RECEIVED, "name": name, "kwargs": {"url": "http://h/"}})
    assert isinstance(odd, TaskEvent)
    assert odd.url == ""


def test_what_is_not_known_is_left_out() -> None:
    assert events_of({"type": "task-custom", "uuid": "u"}) == []
    assert events_of({"type": "proj-thing", "hostname": "x"}) == []
    assert events_of({**RECEIVED, "uuid": ""}) == []
    assert events_of({**RECEIVED, "uuid": "u" * 256}) == []


def test_numbers_that_make_no_sense_are_none() -> None:
    (event,) = events_of({**RECEIVED, "runtime": -1, "retries": -7, "timestamp": 1e300})
    assert isinstance(event, TaskEvent)
    assert (event.runtime_s, event.retries, event.at) == (None, 0, NOW)


def test_texts_are_cut_to_what_is_kept() -> None:
    long = dict.fromkeys(("name", "queue", "exception", "hostname"), "x" * 10_000)
    (event,) = events_of({**RECEIVED, **long})
    assert isinstance(event, TaskEvent)
    assert max(map(len, (event.name, event.queue, event.exception, event.node))) <= 512


def test_the_envelope_of_kombu_is_opened() -> None:
    body = json.dumps([RECEIVED]).encode()
    plain = {"body": body.decode(), "content-type": "application/json", "properties": {}}
    coded = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"hostname": "w1@b1"},
        "properties": {"body_encoding": "base64", "delivery_mode": 1},
    }
    for envelope in (plain, coded):
        assert events_in_envelope(json.dumps(envelope).encode(), NOW) == events_of(RECEIVED)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"type":"task-sent","uuid":"u","x":' + "[" * 9_999 + "]" * 9_999 + "}", None),
        ('[{"type":"task-sent","x":' + "[" * 9_999, None),
        (b"\x81\xa1x" + b"\x91" * 9_999 + b"\x01", "application/x-msgpack"),
        (
            '{"type":"task-sent","uuid":"u","name":"cyme.tasks.webhook","kwargs":'
            + ('{"x":' * 9_999 + "1" + "}" * 9_999 + "}"),
            None,
        ),
        (None, None),
        (10**12, None),
        ({"type": "task-sent"}, None),
        ("[" + " " * MESSAGE_BYTES_MAX + "]", None),
    ],
    ids=["deep", "deep batch", "deep msgpack", "deep kwargs", "none", "number", "map", "large"],
)
def test_a_message_that_is_made_to_do_harm_is_a_value_error(
    body: Any, content_type: str | None
) -> None:
    with pytest.raises(ValueError, match=r"a message|malformed"):
        events_in(body, content_type, NOW)


def test_an_envelope_that_is_made_to_do_harm_is_a_value_error() -> None:
    for data in (b'{"x":' * 9_999, b'{"body":"' + b" " * 2 * MESSAGE_BYTES_MAX + b'"}'):
        with pytest.raises(ValueError, match="a message"):
            events_in_envelope(data, NOW)


@given(
    st.binary() | st.text(), st.sampled_from([None, "application/json", "application/x-msgpack"])
)
def test_whatever_comes_is_events_or_a_value_error(body: Any, content_type: str | None) -> None:
    data = body if isinstance(body, bytes) else body.encode()
    for read in (
        partial(events_in, body, content_type, NOW),
        partial(events_in_envelope, data, NOW),
    ):
        with contextlib.suppress(ValueError):
            assert isinstance(read(), list)


@given(st.dictionaries(st.sampled_from(list(RECEIVED)), st.none() | st.integers() | st.text()))
def test_whatever_an_event_holds_it_is_one_or_a_value_error(changes: dict[str, Any]) -> None:
    try:
        events = events_of({**RECEIVED, **changes})
    except ValueError:
        return
    assert len(events) <= 1
