"""Replies about queue declarations."""

from __future__ import annotations

import msgspec

from cyme.core.model import Queue


class QueueReply(msgspec.Struct, frozen=True, kw_only=True):
    """A queue declaration; null is what its maker left to the default."""

    name: str
    exchange: str | None
    exchange_type: str | None
    routing_key: str | None
    options: msgspec.Raw | None


class ListedQueueReply(QueueReply, frozen=True, kw_only=True):
    """A queue declaration among those of several apps."""

    app: str


def queue_reply(queue: Queue) -> QueueReply:
    """Return a queue declaration."""
    return QueueReply(
        name=queue.name,
        exchange=queue.exchange,
        exchange_type=queue.exchange_type,
        routing_key=queue.routing_key,
        options=msgspec.Raw(queue.options.encode()) if queue.options is not None else None,
    )


def listed_queue_reply(queue: Queue) -> ListedQueueReply:
    """Return a queue declaration with the name of its app."""
    return ListedQueueReply(app=queue.app, **msgspec.structs.asdict(queue_reply(queue)))
