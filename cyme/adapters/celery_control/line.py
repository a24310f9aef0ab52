"""The line to the workers of a broker: questions go out, answers and echoes come back.

The messages are those of ``celery.app.control``: ``kombu.pidbox`` says where they go.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import uuid4

from kombu import Connection, Consumer, Producer
from kombu.message import Message
from kombu.pidbox import Mailbox

from cyme.adapters.broker_calls import leave, open_channel

logger = logging.getLogger(__name__)

#: As ``celery.app.defaults`` has them: ``control_exchange``, ``control_queue_ttl``,
#: ``control_queue_expires``.
CONTROL_EXCHANGE = "celery"
REPLY_TTL_S = 300.0
REPLY_QUEUE_EXPIRES_S = 10.0

#: What has come already is still read when the time is over.
LAST_LOOK_S = 0.001


@dataclass(slots=True)
class Question:
    """A command to some workers, and their answers so far.

    Attributes:
        command: Name of a remote control command of Celery.
        arguments: Its keyword arguments, JSON types.
        nodes: Names of the workers that are asked.
        answers: What came back, by node name.
    """

    command: str
    arguments: Mapping[str, object]
    nodes: frozenset[str]
    answers: dict[str, object] = field(default_factory=dict)

    @property
    def is_answered(self) -> bool:
        """Whether all who were asked have answered."""
        return self.answers.keys() >= self.nodes


class _Mailbox(Mailbox):  # type: ignore[misc] # kombu has no types
    """A mailbox whose replies go to a queue that no other one ever had.

    kombu makes the queue's name of an address in memory, which may be used again while the
    broker still holds the queue for a connection that was lost.
    """

    @cached_property
    def oid(self) -> str:
        """The routing key of replies."""
        return str(uuid4())


class Line:
    """A connection for remote control: a way to the workers, and a way back to us."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._mailbox = _Mailbox(
            CONTROL_EXCHANGE,
            type="fanout",
            accept=["json"],
            serializer="json",
            reply_queue_ttl=REPLY_TTL_S,
            reply_queue_expires=REPLY_QUEUE_EXPIRES_S,
        )
        self._replies = self._mailbox.get_reply_queue()
        self._asked: dict[str, Question] = {}

    def open(self) -> None:
        """Connect, and begin to listen."""
        channel = open_channel(self.connection)
        self._producer = Producer(channel, auto_declare=False)
        self._replies = self._replies(channel)
        self._mailbox.exchange(channel).declare()
        self._consumer = Consumer(
            channel,
            [self._replies],
            no_ack=True,
            accept=["json"],
            callbacks=[self._take],
            on_decode_error=_illegible,
        )
        self._consumer.consume()

    def close(self, timeout_s: float) -> None:
        """Disconnect, and leave nothing behind where the broker still answers."""
        leave(self.connection, timeout_s, self._replies.delete if self._replies.is_bound else None)

    def ask(self, questions: Sequence[Question], deadline: float, patience_end: float) -> None:
        """Put questions, and collect answers until all have come or the time is over.

        Args:
            questions: What to ask, and whom.
            deadline: When the answers must have come (monotonic seconds).
            patience_end: When the echo must have come, not before the deadline.

        Raises:
            TimeoutError: The broker has not even brought back our own echo.
        """
        echo = Question("echo", {}, frozenset({"echo"}))
        self._asked = {uuid4().hex: question for question in (*questions, echo)}
        for ticket, question in self._asked.items():
            if question is echo:
                self._publish(
                    {"echo": True}, self._mailbox.reply_exchange, self._replies.routing_key, ticket
                )
            elif question.nodes:
                self._broadcast(ticket, question)
        while not all(question.is_answered for question in self._asked.values()):
            left_s = (deadline if echo.is_answered else patience_end) - time.monotonic()
            try:
                self.connection.drain_events(timeout=max(left_s, LAST_LOOK_S))
            except TimeoutError:
                break
        self._asked = {}
        if not echo.is_answered:
            raise TimeoutError("it accepts messages and delivers none")

    def _broadcast(self, ticket: str, question: Question) -> None:
        # A destination that is empty would mean all workers of the broker.
        self._publish(
            {
                "method": question.command,
                "arguments": dict(question.arguments),
                "destination": sorted(question.nodes),
                "pattern": None,
                "matcher": None,
                "ticket": ticket,
                "reply_to": {
                    "exchange": self._mailbox.reply_exchange.name,
                    "routing_key": self._replies.routing_key,
                },
            },
            self._mailbox.exchange,
            "",
            ticket,
        )

    def _publish(
        self, body: Mapping[str, object], exchange: Any, routing_key: str, ticket: str
    ) -> None:
        self._producer.publish(
            body,
            exchange=exchange.name,
            routing_key=routing_key,
            serializer="json",
            delivery_mode="transient",
            headers={"clock": self._mailbox.clock.forward(), "expires": 0, "ticket": ticket},
            retry=False,
        )

    def _take(self, body: object, message: Message) -> None:
        """Take an answer; one that comes too late is to a question that nobody asks any more."""
        question = self._asked.get(message.headers.get("ticket", ""))
        if question is not None and isinstance(body, dict):
            question.answers.update(
                (node, answer) for node, answer in body.items() if node in question.nodes
            )


def _illegible(message: Message, exc: Exception) -> None:
    logger.warning("a worker answers in %s, which is not accepted: %s", message.content_type, exc)
