"""How queues look to kinds of brokers: by AMQP, by Redis, by whatever kombu plays the broker on.

No message is taken to be looked at: who takes one and gives it back marks it as delivered before,
which Celery takes notice of.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from amqp.exceptions import ChannelError
from kombu import Connection

from cyme.core.tasks import SENT_AT_HEADER
from cyme.core.vitals import QueueSight

#: Of the messages that wait longest those that are larger are not read for when they were sent.
MESSAGE_BYTES_MAX = 256 * 1024

#: So many queues of Redis are asked after at once.
AT_ONCE = 100

#: AMQP's reply to who asks for a queue that does not exist.
NOT_FOUND = 404

#: Returns a channel; with what the broker closed it takes another one.
Channels = Callable[[], Any]


def sights(
    connection: Connection, channels: Channels, queues: Sequence[str], deadline: float
) -> Mapping[str, QueueSight]:
    """Return how queues look; those that there was no time for are left out.

    Args:
        connection: To the broker; open.
        channels: Returns an open channel of it.
        queues: Their names.
        deadline: Monotonic seconds.
    """
    match connection.transport.driver_type:
        case "amqp":
            found = _by_amqp(channels, queues)
        case "redis":
            found = _by_redis(channels, queues)
        case _:
            found = _by_size(channels, queues)
    seen: dict[str, QueueSight] = {}
    for queue, sight in found:
        seen[queue] = sight
        if time.monotonic() > deadline:
            break
    return seen


def _by_amqp(channels: Channels, queues: Sequence[str]) -> Iterator[tuple[str, QueueSight]]:
    for queue in queues:
        try:
            told = channels().queue_declare(queue=queue, passive=True)
        except ChannelError as exc:
            yield queue, QueueSight(error=_refusal(exc))
        else:
            yield queue, QueueSight(depth=told.message_count, consumers=told.consumer_count)


def _refusal(exc: ChannelError) -> str:
    if exc.code == NOT_FOUND:
        return "it is not on the broker yet; a worker that consumes from it makes it"
    return f"the broker does not tell: {exc.reply_text or exc}"


def _by_redis(channels: Channels, queues: Sequence[str]) -> Iterator[tuple[str, QueueSight]]:
    channel = channels()
    with channel.conn_or_acquire() as client:
        for start in range(0, len(queues), AT_ONCE):
            yield from _lists(client, channel, queues[start : start + AT_ONCE])


def _lists(client: Any, channel: Any, queues: Sequence[str]) -> Iterator[tuple[str, QueueSight]]:
    """Look at lists: there is one for each priority, and the oldest message is the last of each."""
    keys = [channel._q_for_pri(queue, step) for queue in queues for step in channel.priority_steps]  # noqa: SLF001 - as kombu's own _size
    with client.pipeline(transaction=False) as asking:
        for key in keys:
            asking.llen(key)
        lengths = dict(zip(keys, asking.execute(raise_on_error=False), strict=True))
        filled = [key for key, length in lengths.items() if isinstance(length, int) and length]
        for key in filled:
            asking.lindex(key, -1)
        oldest = dict(zip(filled, asking.execute(raise_on_error=False), strict=True))
    steps = len(channel.priority_steps)
    for number, queue in enumerate(queues):
        its_keys = keys[number * steps : (number + 1) * steps]
        told = [lengths[key] for key in its_keys]
        wrong = next((each for each in told if not isinstance(each, int)), None)
        if wrong is not None:
            yield queue, QueueSight(error=f"it cannot be read: {wrong}")
            continue
        moments = [sent_at(oldest[key]) for key in its_keys if key in oldest]
        # Where one of several lists does not tell, the oldest of all is not known.
        known = [moment for moment in moments if moment is not None]
        yield (
            queue,
            QueueSight(
                depth=sum(told),
                oldest_at=min(known) if known and len(known) == len(moments) else None,
            ),
        )


def sent_at(message: object) -> float | None:
    """Return when a message of kombu's was sent, as it says itself; None if it does not.

    Args:
        message: What stands in the list: JSON, as text or bytes.

    Returns:
        Seconds since 1970 UTC.
    """
    if not isinstance(message, str | bytes) or len(message) > MESSAGE_BYTES_MAX:
        return None
    try:
        told = json.loads(message)["headers"][SENT_AT_HEADER]
    except (KeyError, TypeError, ValueError):
        return None
    is_moment = type(told) in (float, int) and math.isfinite(told) and told > 0
    return float(told) if is_moment else None


def _by_size(channels: Channels, queues: Sequence[str]) -> Iterator[tuple[str, QueueSight]]:
    for queue in queues:
        size = channels()._size(queue)  # noqa: SLF001 - what kombu's own queue_declare answers by
        yield queue, QueueSight(depth=int(size))
