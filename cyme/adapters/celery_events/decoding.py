"""Celery's event messages as events of ours.

Laws:

* arguments and results are skipped where they stand and never become values here;
* whatever a message holds, it is events or a ``ValueError``.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from cyme.core.task_events import (
    EXCEPTION_CHARS_MAX,
    NAME_CHARS_MAX,
    NODE_CHARS_MAX,
    QUEUE_CHARS_MAX,
    QUEUED_URL_TASK,
    UUID_CHARS_MAX,
    TaskDeed,
    TaskEvent,
    WorkerEvent,
    moment_of,
    url_in,
)

T = TypeVar("T")

#: Events of one message that are read.
BATCH_MAX: Final = 1_000

#: A message is no larger: to read it keeps all others from the hub.
MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024

RETRIES_MAX: Final = 1_000_000

_DEEDS: Final = {f"task-{deed}": deed for deed in TaskDeed}
_WORKER_EVENTS: Final = {"worker-online": True, "worker-heartbeat": True, "worker-offline": False}


class Told(msgspec.Struct):
    """An event as it travels, as far as it is read; what else it holds is skipped."""

    type: str
    hostname: str = ""
    timestamp: float = 0.0
    uuid: str = ""
    name: str | None = None
    queue: str | None = None
    runtime: float | None = None
    exception: str | None = None
    retries: int | None = None
    kwargs: msgspec.Raw = msgspec.Raw()
    active: int | None = None
    freq: float | None = None


class _Properties(msgspec.Struct):
    body_encoding: str | None = None


class Envelope(msgspec.Struct, rename={"content_type": "content-type"}):
    """A message as kombu writes it where the broker is none: body and headers in one JSON."""

    body: str
    content_type: str = "application/json"
    properties: _Properties = msgspec.field(default_factory=_Properties)


_envelope = msgspec.json.Decoder(Envelope)

#: How to read one event, many of them, and a text that was skipped at first.
_Decoders = tuple[Callable[[Any], Told], Callable[[Any], list[Told]], Callable[[Any], Any]]
_JSON: Final[_Decoders] = (
    msgspec.json.Decoder(Told).decode,
    msgspec.json.Decoder(list[Told]).decode,
    msgspec.json.Decoder().decode,
)
_MSGPACK: Final[_Decoders] = (
    msgspec.msgpack.Decoder(Told).decode,
    msgspec.msgpack.Decoder(list[Told]).decode,
    msgspec.msgpack.Decoder().decode,
)

#: The first bytes of an array in MessagePack.
_MSGPACK_ARRAYS: Final = frozenset({*range(0x90, 0xA0), 0xDC, 0xDD})


def events_in_envelope(data: bytes, now: float) -> list[TaskEvent | WorkerEvent]:
    """Return the events of a message in kombu's envelope; raises as ``events_in``."""
    if len(data) > 2 * MESSAGE_BYTES_MAX:
        raise ValueError(f"a message of {len(data)} bytes")
    envelope = _read(_envelope.decode, data)
    body: str | bytes = envelope.body
    if envelope.properties.body_encoding == "base64":
        body = base64.b64decode(body)
    return events_in(body, envelope.content_type, now)


def events_in(body: Any, content_type: str | None, now: float) -> list[TaskEvent | WorkerEvent]:
    """Return the events of a message; those of kinds that are not known are left out.

    Args:
        body: Its bytes, or its text.
        content_type: What they are.
        now: Seconds since 1970, UTC.

    Raises:
        ValueError: It holds something else.
    """
    if not isinstance(body, str | bytes | bytearray | memoryview):
        raise ValueError(f"a message that is {type(body).__name__}")  # noqa: TRY004 - as all others
    data = body.encode() if isinstance(body, str) else bytes(body)
    if len(data) > MESSAGE_BYTES_MAX:
        raise ValueError(f"a message of {len(data)} bytes")
    if content_type == "application/x-msgpack":
        one, many, text = _MSGPACK
        is_batch = data[:1] != b"" and data[0] in _MSGPACK_ARRAYS
    else:
        one, many, text = _JSON
        is_batch = data[:1] == b"["
    told = _read(many, data)[:BATCH_MAX] if is_batch else [_read(one, data)]
    events = [_event(each, now, text) for each in told]
    return [event for event in events if event is not None]


def _read(decode: Callable[[Any], T], data: object) -> T:
    """Take something apart; what is nested too deeply is no event either."""
    try:
        return decode(data)
    except RecursionError as exc:
        raise ValueError("a message that is nested too deeply") from exc


def _event(told: Told, now: float, text: Callable[[Any], Any]) -> TaskEvent | WorkerEvent | None:
    deed = _DEEDS.get(told.type)
    at = moment_of(told.timestamp, now)
    node = told.hostname[:NODE_CHARS_MAX]
    if deed is None:
        return _worker_event(told, node, at)
    if not 1 <= len(told.uuid) <= UUID_CHARS_MAX:
        return None
    name = (told.name or "")[:NAME_CHARS_MAX]
    url = ""
    if name == QUEUED_URL_TASK and told.kwargs:
        kwargs = _read(text, told.kwargs)
        url = url_in(kwargs) if isinstance(kwargs, str) else ""
    return TaskEvent(
        deed,
        told.uuid,
        node,
        at,
        name,
        (told.queue or "")[:QUEUE_CHARS_MAX],
        _positive(told.runtime),
        (told.exception or "")[:EXCEPTION_CHARS_MAX],
        None if told.retries is None else min(max(0, told.retries), RETRIES_MAX),
        url,
    )


def _worker_event(told: Told, node: str, at: float) -> WorkerEvent | None:
    online = _WORKER_EVENTS.get(told.type)
    if online is None or not node:
        return None
    active = None if told.active is None else min(max(0, told.active), RETRIES_MAX)
    return WorkerEvent(node, at, online, active, _positive(told.freq))


def _positive(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) and number >= 0 else None
