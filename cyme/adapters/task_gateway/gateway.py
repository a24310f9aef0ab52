"""The gateway: which connection a task goes out by, and where its result comes back.

Where a result is looked for follows from where the worker puts it:

* a result backend that was named, or the broker itself where it is Redis: polled;
* ``rpc://``, which is what workers on other brokers use: the branch's reply queue.
"""

from __future__ import annotations

import logging
import os
from typing import Protocol

import gevent
from celery import Celery
from kombu import Queue as Declaration

from cyme.adapters.broker_calls import declaration_of
from cyme.adapters.task_gateway.kept import KeptResults
from cyme.adapters.task_gateway.messages import message_of
from cyme.adapters.task_gateway.polling import PolledResults
from cyme.adapters.task_gateway.replies import ReplyResults
from cyme.adapters.task_gateway.sender import Sender
from cyme.adapters.task_gateway.shelf import Shelf
from cyme.adapters.task_gateway.stores import REDIS_SCHEMES, store_of
from cyme.core.model import Broker, Queue
from cyme.core.ports import Clock
from cyme.core.task_ids import CHANCE_BYTES, task_id
from cyme.core.tasks import Outcome, SendOptions, WebhookRequest
from cyme.errors import CymeError

logger = logging.getLogger(__name__)

PRUNE_PERIOD_S = 300.0


class Results(Protocol):
    """Where results of tasks are found.

    Attributes:
        reply_queue: The queue that tasks must name for their results, or None.
    """

    reply_queue: Declaration | None

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits."""

    def start(self) -> None:
        """Begin to collect results."""

    def stop(self) -> None:
        """Let go of the connection."""

    def outcome(self, task_id: str, *, timeout_s: float) -> Outcome:
        """Return what is known of a task now."""

    def wait(self, task_id: str, *, timeout_s: float) -> Outcome:
        """Return a task's outcome once it is final, or what is known at the deadline."""


class CeleryTaskGateway:
    """The ``TaskGateway`` port, on Celery's task messages and result backends.

    Args:
        branch_id: The branch's id: ids of tasks and the reply queue carry it.
        kept: Where results are kept that a broker delivers once.
        clock: Time.
    """

    def __init__(self, branch_id: str, kept: KeptResults, clock: Clock) -> None:
        self._branch_id = branch_id
        self._name = f"cyme-{branch_id}-tasks"
        self._kept = kept
        self._clock = clock
        self._app = Celery("cyme.gateway", set_as_current=False)
        self._senders = Shelf(self._make_sender)
        self._polled = Shelf(self._make_polled)
        self._replies = Shelf(self._make_replies)
        self._pruner: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to remove results that were kept for long enough."""
        self._pruner = gevent.spawn(self._prune)

    def stop(self, timeout_s: float) -> None:
        """Close all connections."""
        with gevent.Timeout(timeout_s, False):
            if self._pruner is not None:
                self._pruner.kill()
            self._senders.clear()
            self._replies.clear()
            self._polled.clear()

    def new_id(self) -> str:
        """Return a task id: a UUID of version 8 that carries a hint of this branch."""
        return task_id(self._branch_id, os.urandom(CHANCE_BYTES))

    def send(
        self,
        task_id: str,
        *,
        broker: Broker,
        result_backend: str | None,
        queue: Queue,
        request: WebhookRequest,
        options: SendOptions,
        timeout_s: float,
    ) -> None:
        """Declare the queue and publish the task; the broker has it when this returns.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
            BrokerRefused: The broker refuses the queue's declaration, or the message.
        """
        reply_queue = None
        if _is_replied(broker, result_backend):
            results = self._replies.get(broker.url)
            results.start()
            reply_queue = results.reply_queue
        message = message_of(
            self._app,
            task_id,
            request,
            options,
            reply_queue=reply_queue,
            now=self._clock.wall(),
        )
        sender = self._senders.get(broker.url)
        sender.send(message, declaration_of(queue), timeout_s=timeout_s)

    def outcome(
        self, task_id: str, *, broker: Broker, result_backend: str | None, timeout_s: float
    ) -> Outcome:
        """Return what is known of a task now.

        Raises:
            BrokerUnavailable: The result store cannot be reached.
            NotSupported: Results cannot be read from such a result store.
        """
        return self._results(broker, result_backend).outcome(task_id, timeout_s=timeout_s)

    def wait(
        self, task_id: str, *, broker: Broker, result_backend: str | None, timeout_s: float
    ) -> Outcome:
        """Return the task's outcome once it is final, or what is known at the deadline.

        Raises:
            BrokerUnavailable: The result store cannot be reached.
            NotSupported: Results cannot be read from such a result store.
        """
        return self._results(broker, result_backend).wait(task_id, timeout_s=timeout_s)

    def _results(self, broker: Broker, result_backend: str | None) -> Results:
        if _is_replied(broker, result_backend):
            return self._replies.get(broker.url)
        return self._polled.get(result_backend or broker.url)

    def _make_sender(self, url: str) -> Sender:
        return Sender(Broker(url), self._name, self._app, self._clock)

    def _make_polled(self, url: str) -> PolledResults:
        return PolledResults(store_of(url), self._clock)

    def _make_replies(self, url: str) -> ReplyResults:
        return ReplyResults(Broker(url), self._branch_id, self._name, self._kept, self._clock)

    def _prune(self) -> None:
        while True:
            gevent.sleep(PRUNE_PERIOD_S)
            try:
                self._kept.prune_results(self._clock.wall())
            except CymeError as exc:
                logger.warning("results that have expired are removed later: %s", exc)


def _is_replied(broker: Broker, result_backend: str | None) -> bool:
    """Tell whether workers send results back through the broker."""
    if result_backend is None:
        return broker.scheme not in REDIS_SCHEMES
    return result_backend.partition("://")[0] == "rpc"
