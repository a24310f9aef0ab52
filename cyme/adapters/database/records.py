"""Records to rows and back."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from cyme.core.model import (
    App,
    AppName,
    BranchId,
    Broker,
    Instance,
    InstanceName,
    Queue,
    QueueName,
    Record,
    Stamp,
    WorkerSpec,
)
from cyme.core.names import NAME_CHARS_MAX
from cyme.errors import InvalidRequest

#: A row: a value for each field of its model. What comes back is the driver's, hence Any.
Row = dict[str, Any]

_SAME_IN_SPEC = (
    "result_backend",
    "pool",
    "min_concurrency",
    "max_concurrency",
    "arguments",
    "extra_config",
    "is_enabled",
    "celery_app",
    "workdir",
    "python",
)


#: Columns of a bounded length.
_NAMES = frozenset({"name", "app", "home", "owner", "stamp_origin"})

INTEGER_MAX = 2**63 - 1


def broker_digest(url: str) -> str:
    """Return the key of the broker with this URL."""
    return hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest()


def row_of(record: Record) -> Row:
    """Return the row of a record.

    Raises:
        InvalidRequest: A value is what no database stores.
    """
    match record:
        case App():
            row = {"name": record.name, **_spec_row(record.spec), **_stamp_row(record.stamp)}
        case Queue():
            row = {
                "app": record.app,
                "name": record.name,
                "exchange": record.exchange,
                "exchange_type": record.exchange_type,
                "routing_key": record.routing_key,
                "options": record.options,
                **_stamp_row(record.stamp),
            }
        case Instance():
            row = {
                "name": record.name,
                "app": record.app,
                "home": record.home,
                "owner": record.owner,
                "epoch": record.epoch,
                "generation": record.generation,
                "pinned": record.pinned,
                "queues": json.dumps(record.queues),
                **_spec_row(record.spec),
                **_stamp_row(record.stamp),
            }
    row |= {
        "version": record.version,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "deleted": record.deleted,
    }
    _check(row)
    return row


def broker_row(broker: Broker) -> Row:
    """Return the row of a broker.

    Raises:
        InvalidRequest: The URL cannot be taken apart, or holds what no database stores.
    """
    try:
        row: Row = {
            "url": broker.url,
            "hostname": broker.hostname,
            "port": broker.port,
            "userid": broker.userid,
            "password": broker.password,
            "virtual_host": broker.virtual_host,
        }
    except ValueError as exc:
        raise InvalidRequest.of("broker", f"is not a URL: {exc}") from exc
    _check(row)
    return {"digest": broker_digest(broker.url), **row}


def app_of(row: Row, brokers: Mapping[str, Broker]) -> App:
    """Return the app of a row.

    Args:
        row: The row.
        brokers: All brokers by digest.
    """
    return App(
        name=AppName(row["name"]),
        spec=_spec_of(row, brokers),
        stamp=_stamp_of(row),
        **_common_of(row),
    )


def queue_of(row: Row) -> Queue:
    """Return the queue of a row."""
    return Queue(
        app=AppName(row["app"]),
        name=QueueName(row["name"]),
        exchange=row["exchange"],
        exchange_type=row["exchange_type"],
        routing_key=row["routing_key"],
        options=row["options"],
        stamp=_stamp_of(row),
        **_common_of(row),
    )


def instance_of(row: Row, brokers: Mapping[str, Broker]) -> Instance:
    """Return the instance of a row.

    Args:
        row: The row.
        brokers: All brokers by digest.
    """
    return Instance(
        name=InstanceName(row["name"]),
        app=AppName(row["app"]),
        home=BranchId(row["home"]),
        owner=BranchId(row["owner"]),
        epoch=row["epoch"],
        generation=row["generation"],
        stamp=_stamp_of(row),
        spec=_spec_of(row, brokers),
        queues=tuple(QueueName(name) for name in json.loads(row["queues"])),
        pinned=row["pinned"],
        **_common_of(row),
    )


def _spec_row(spec: WorkerSpec) -> Row:
    row: Row = {name: getattr(spec, name) for name in _SAME_IN_SPEC}
    row["broker"] = broker_digest(spec.broker.url) if spec.broker else None
    row["env"] = _text_of(spec.env)
    row["labels"] = _text_of(spec.labels)
    return row


def _spec_of(row: Row, brokers: Mapping[str, Broker]) -> WorkerSpec:
    digest = row["broker"]
    return WorkerSpec(
        broker=None if digest is None else brokers[digest],
        env=_pairs_of(row["env"]),
        labels=_pairs_of(row["labels"]),
        **{name: row[name] for name in _SAME_IN_SPEC},
    )


def _text_of(pairs: Sequence[tuple[str, str]] | None) -> str | None:
    return None if pairs is None else json.dumps(dict(pairs))


def _pairs_of(text: str | None) -> tuple[tuple[str, str], ...] | None:
    return None if text is None else tuple(json.loads(text).items())


def _stamp_row(stamp: Stamp) -> Row:
    return {
        "stamp_ms": stamp.time_ms,
        "stamp_counter": stamp.counter,
        "stamp_origin": stamp.origin,
    }


def _stamp_of(row: Row) -> Stamp:
    return Stamp(row["stamp_ms"], row["stamp_counter"], row["stamp_origin"])


def _common_of(row: Row) -> Row:
    return {name: row[name] for name in ("version", "created_at", "updated_at", "deleted")}


def _check(row: Row) -> None:
    """Refuse what a database would refuse, while it is known which field it is.

    PostgreSQL stores no NUL, none of the three stores half a surrogate pair, whole numbers have
    64 bits, some have no infinity, and SQLite alone takes a name that is too long.
    """
    for name, value in row.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidRequest.of(name, f"is {value}, which cannot be stored")
        if isinstance(value, int) and not -INTEGER_MAX <= value <= INTEGER_MAX:
            raise InvalidRequest.of(name, "takes more than 64 bits, which cannot be stored")
        if not isinstance(value, str):
            continue
        if name in _NAMES and len(value) > NAME_CHARS_MAX:
            raise InvalidRequest.of(name, f"has more than {NAME_CHARS_MAX} characters")
        if "\0" in value:
            raise InvalidRequest.of(name, "contains a NUL character, which cannot be stored")
        try:
            value.encode()
        except UnicodeEncodeError as exc:
            raise InvalidRequest.of(name, f"is not valid Unicode: {exc.reason}") from exc
