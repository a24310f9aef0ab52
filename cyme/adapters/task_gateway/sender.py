"""Publishes to one broker, over a connection of its own.

Laws:

* one message at a time: brokers confirm in order, and a broker that hangs blocks nobody but
  those who send to it;
* the queue is declared before a message goes to it, and the broker has confirmed the message
  when ``send`` returns;
* what may have been published is never published again; only a connection that turns out to be
  dead before that is replaced on the way.
"""

from __future__ import annotations

from typing import Any

from amqp.exceptions import MessageNacked
from celery import Celery
from gevent.lock import BoundedSemaphore
from kombu import Producer
from kombu import Queue as Declaration

from cyme.adapters.broker_calls import answering, declare, unavailable
from cyme.adapters.task_gateway.lines import Line
from cyme.adapters.task_gateway.messages import TASK, Message
from cyme.core.model import Broker
from cyme.core.ports import Clock
from cyme.errors import BrokerRefused

#: How long a declaration is believed to hold. A queue that is gone is noticed anyway.
DECLARED_S = 15.0
#: Where kombu plays the broker, a connection remembers for ever what was declared over it. So with
#: so many declarations it gives way to a new one.
DECLARED_MAX = 1024
#: A connection that was not used for so long may have been forgotten on the way.
IDLE_S = 60.0


class Sender:
    """Publishes to one broker.

    Args:
        broker: The broker.
        name: What the connection is called on the broker.
        app: A Celery application, which knows the protocol of tasks.
        clock: Time.
    """

    def __init__(self, broker: Broker, name: str, app: Celery, clock: Clock) -> None:
        self._broker = broker
        self._name = name
        self._app = app
        self._clock = clock
        self._turn = BoundedSemaphore(1)
        self._line: Line | None = None
        self._producer: Any = None
        self._returned = False
        self._used_at = 0.0
        self._declared: dict[str, float] = {}

    def send(self, message: Message, queue: Declaration, *, timeout_s: float) -> None:
        """Declare the queue and publish a task; the broker has it when this returns.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or does not answer in time.
            BrokerRefused: The broker refuses the queue or the message.
        """
        deadline = self._clock.monotonic() + timeout_s
        if not self._turn.acquire(timeout=timeout_s):
            raise unavailable(self._broker.url, "earlier tasks are still being sent to it")
        done = False
        try:
            with answering(self._broker, deadline - self._clock.monotonic()):
                self._prepare(message, queue)
                self._publish(message, queue)
            done = True
        finally:
            if not done:
                self._hang_up(in_peace=False)
            self._turn.release()

    @property
    def is_idle(self) -> bool:
        """Whether nobody is sending."""
        return not self._turn.locked()

    def stop(self) -> None:
        """Disconnect; a later ``send`` connects again."""
        self._hang_up(in_peace=self.is_idle)

    # --- before it is published ------------------------------------------------------------------

    def _prepare(self, message: Message, queue: Declaration) -> None:
        """Be connected to a broker that knows the queue."""
        now = self._clock.monotonic()
        if self._line is not None and now - self._used_at > IDLE_S:
            self._hang_up(in_peace=False)
        if len(self._declared) >= DECLARED_MAX:
            self._hang_up(in_peace=True)
        is_fresh = self._line is None
        try:
            self._connect()
            self._declare(message, queue)
        except BrokerRefused:
            raise
        except Exception:
            if is_fresh:
                raise
            self._hang_up(in_peace=False)
            self._connect()
            self._declare(message, queue)
        self._used_at = now

    def _connect(self) -> None:
        if self._line is None:
            self._line = Line(self._broker, self._name)
            # Only AMQP returns what no queue takes.
            on_return = self._take_back if self._line.is_amqp else None
            self._producer = Producer(self._line.open(), auto_declare=False, on_return=on_return)

    def _declare(self, message: Message, queue: Declaration) -> None:
        for wanted in filter(None, (message.reply_queue, queue)):
            self._declare_one(wanted)

    def _declare_one(self, queue: Declaration) -> None:
        # Only the connection that declares an exclusive queue may use it: that is the worker's.
        now = self._clock.monotonic()
        key = repr(queue.as_dict(recurse=True))
        if queue.exclusive or now - self._declared.get(key, -DECLARED_S) < DECLARED_S:
            return
        declare(queue, self._producer.channel)
        self._declared[key] = now

    # --- published -------------------------------------------------------------------------------

    def _publish(self, message: Message, queue: Declaration) -> None:
        self._publish_once(message, queue)
        if self._returned:
            # Nobody took it, so it can be sent again: somebody has deleted the queue.
            self._declared.clear()
            self._declare(message, queue)
            self._publish_once(message, queue)
        if self._returned:
            raise BrokerRefused(
                f"No queue takes what is sent to {queue.name!r}: its exchange, exchange_type, "
                "routing_key or options do not lead to it. Change them."
            )

    def _publish_once(self, message: Message, queue: Declaration) -> None:
        self._returned = False
        properties: dict[str, object] = {"mandatory": True}
        if message.priority is not None:
            properties["priority"] = message.priority
        try:
            self._app.amqp.send_task_message(
                self._producer,
                TASK,
                message.task,
                queue=queue,
                declare=(),
                retry=False,
                serializer="json",
                headers=_matching_headers(queue),
                **properties,
            )
        except MessageNacked as exc:
            raise BrokerRefused(
                f"The broker does not take a message for the queue {queue.name!r}: it is full, "
                "or cannot be written."
            ) from exc

    def _take_back(self, *_: object) -> None:
        """Note that the broker has found no queue for a message."""
        self._returned = True

    def _hang_up(self, *, in_peace: bool) -> None:
        line, self._line, self._producer = self._line, None, None
        self._declared.clear()
        if line is not None:
            line.leave(in_peace=in_peace)


def _matching_headers(queue: Declaration) -> dict[str, object]:
    """Return the headers by which a message gets through the binding of a headers exchange."""
    if queue.exchange.type != "headers":
        return {}
    arguments = queue.binding_arguments or {}
    return {name: value for name, value in arguments.items() if not name.startswith("x-")}
