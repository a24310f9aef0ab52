"""The events of workers on RabbitMQ and all else that kombu knows: a queue of our own.

The queue goes with the connection, and it is bounded: a branch that is slow fills no broker. It
is read a window at a time and never faster than the turns allow; where too much has come together
the broker throws it away at once, and tells how many messages that was.
"""

from __future__ import annotations

import time
from typing import Any, Final
from uuid import uuid4

from celery.events.event import get_exchange
from kombu import Consumer, Queue

from cyme.adapters.broker_calls import LEAVE_S, connection_to, leave, open_channel
from cyme.adapters.celery_events.intake import Intake
from cyme.adapters.celery_events.turns import Turns
from cyme.core.model import Broker

#: A broker that says nothing for two of these is not there, in seconds.
HEARTBEAT_S: Final = 20
CHECK_S: Final = 5.0

#: How long a turn waits for its first message, and for each further one, in seconds.
FIRST_WAIT_S: Final = 1.0
NEXT_WAIT_S: Final = 0.001

#: Messages that the broker sends before any of them is acknowledged.
WINDOW: Final = 100

#: What the broker keeps for us at most: messages, their bytes, and for how long.
LENGTH_MAX: Final = 20_000
BYTES_MAX: Final = 32 * 1024 * 1024
TTL_S: Final = 30.0
EXPIRES_S: Final = 60.0

#: With so many messages in the queue all of them are thrown away; looked at so often, in seconds.
WAITING_MAX: Final = 5_000
LOOK_S: Final = 0.5


class EventQueue:
    """A queue of our own that all events come to.

    Args:
        broker: The broker.
        name: What the connection and the queue are called there.
        intake: Takes the messages.
        turns: When they may be taken.
    """

    def __init__(self, broker: Broker, name: str, intake: Intake, turns: Turns) -> None:
        self._broker = broker
        self._name = name
        self._intake = intake
        self._turns = turns
        self._connection: Any = None
        self._queue: Any = None
        self._messages: list[Any] = []
        self._checked_at = 0.0
        self._looked_at = 0.0

    def open(self) -> None:
        """Connect, declare the queue and consume from it; raises what kombu raises."""
        connection = connection_to(self._broker, self._name, heartbeat_s=HEARTBEAT_S)
        self._connection = connection
        channel = open_channel(connection)
        self._queue = Queue(
            f"celeryev.{self._name}.{uuid4().hex[:8]}",
            exchange=get_exchange(connection),
            routing_key="#",
            durable=False,
            exclusive=True,
            auto_delete=True,
            message_ttl=TTL_S,
            expires=EXPIRES_S,
            max_length=LENGTH_MAX,
            max_length_bytes=BYTES_MAX,
        )(channel)
        consumer = Consumer(
            channel, [self._queue], on_message=self._messages.append, prefetch_count=WINDOW
        )
        consumer.consume()
        self._checked_at = time.monotonic()

    def turn(self) -> None:
        """Wait for messages, and take what the turn allows; raises if the connection is lost."""
        self._turns.wait()
        self._check()
        if not self._messages and not self._drain(FIRST_WAIT_S):
            return
        ends_at = self._turns.begin()
        taken = 0
        try:
            while taken < WINDOW:
                taken += self._take()
                if self._turns.is_over(ends_at) or not self._drain(NEXT_WAIT_S):
                    break
        finally:
            self._turns.end()
        if taken >= WINDOW or self._messages or self._turns.is_over(ends_at):
            self._throw_away()

    def close(self) -> None:
        """Disconnect, without a word to a broker that does not listen any more."""
        self._messages.clear()
        self._queue = None
        connection, self._connection = self._connection, None
        if connection is not None:
            leave(connection, LEAVE_S)

    # --- one turn -------------------------------------------------------------------------------

    def _drain(self, timeout_s: float) -> bool:
        """Let the next messages come; return whether any did."""
        before = len(self._messages)
        try:
            self._connection.drain_events(timeout=timeout_s)
        except TimeoutError:
            return False
        return len(self._messages) > before

    def _take(self) -> int:
        messages, last = tuple(self._messages), None
        self._messages.clear()
        for last in messages:
            self._intake.message(last.body, last.content_type)
        if last is not None:
            last.channel.basic_ack(last.delivery_tag, multiple=True)
        return len(messages)

    def _check(self) -> None:
        """Send a heartbeat if it is time; raises if the broker's have stopped to come."""
        now = time.monotonic()
        if now - self._checked_at >= CHECK_S:
            self._checked_at = now
            if self._connection.supports_heartbeats:
                self._connection.heartbeat_check()

    def _throw_away(self) -> None:
        """Have the broker empty the queue where too much has come together."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        _, waiting, _ = self._queue.queue_declare(passive=True)
        if waiting > WAITING_MAX:
            self._intake.shed(self._queue.purge() or 0)
