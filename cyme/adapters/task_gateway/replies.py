"""Results that come back through the broker: one durable reply queue a branch and broker.

RabbitMQ keeps no results. Celery's ``rpc://`` delivers each of them once, to the queue that the
task names. Laws:

* the queue is durable and outlives the branch for a day: a branch that was away collects what
  came meanwhile;
* a result is acknowledged to the broker when it is kept here: at any moment one of the two has it;
* while the broker is away nothing is lost, and the consumer tries again for ever.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass

import gevent
from gevent.event import Event
from kombu import Consumer
from kombu import Queue as Declaration
from kombu.message import Message

from cyme.adapters.broker_calls import answering, unavailable
from cyme.adapters.task_gateway.kept import KEPT_S, KeptResults
from cyme.adapters.task_gateway.lines import Line
from cyme.adapters.task_gateway.outcomes import UNREADABLE_PAYLOAD, outcome_of
from cyme.adapters.task_gateway.recent import Recent
from cyme.adapters.task_gateway.watches import Watch, Watches
from cyme.core.model import Broker
from cyme.core.ports import Clock
from cyme.core.task_ids import branch_hint, origin_hint
from cyme.core.tasks import PENDING, Outcome
from cyme.errors import BrokerUnavailable, CymeError, TooLarge

logger = logging.getLogger(__name__)

#: The queue goes when no branch has consumed from it for so long.
QUEUE_EXPIRES_S = 24 * 3600
#: The oldest results make room for the newest.
QUEUE_MAX = 100_000
QUEUE_BYTES_MAX = 512 * 1024 * 1024

#: How many results are kept in one commit at most.
BATCH_MAX = 64
#: How long more results are waited for, once one has come.
GATHER_S = 0.002
TICK_S = 5.0
OPEN_TIMEOUT_S = 10.0
RECONNECT_S_MIN = 0.2
RECONNECT_S_MAX = 15.0
#: What somebody waits for a broker that was away a moment ago.
GRACE_S = 1.0


def reply_queue_of(branch_id: str) -> Declaration:
    """Return the queue that the results for a branch come through."""
    return Declaration(
        f"cyme.results.{branch_id}",
        durable=True,
        expires=QUEUE_EXPIRES_S,
        max_length=QUEUE_MAX,
        max_length_bytes=QUEUE_BYTES_MAX,
    )


@dataclass(frozen=True, slots=True)
class _Reply:
    message: Message
    task_id: str
    payload: bytes


class ReplyResults:
    """Collects the results that come through one broker.

    Args:
        broker: The broker.
        branch_id: Whose results.
        name: What the connection is called on the broker.
        kept: Where results are kept.
        clock: Time.
    """

    def __init__(
        self, broker: Broker, branch_id: str, name: str, kept: KeptResults, clock: Clock
    ) -> None:
        self._broker = broker
        self._name = name
        self._kept = kept
        self._clock = clock
        self._hint = branch_hint(branch_id)
        self.reply_queue = reply_queue_of(branch_id)
        self._recent = Recent()
        self._watches = Watches()
        self._batch: list[_Reply] = []
        self._backlog = 0
        #: Whether the broker has been connected to at least once, or could not be.
        self._tried = Event()
        #: Whether everything that waited at the broker was read.
        self._caught_up = Event()
        self._failure: str | None = None
        self._pause_s = RECONNECT_S_MIN
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to consume."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Consume no more; what is not kept yet stays with the broker."""
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.kill()

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits."""
        return not self._watches

    def outcome(self, task_id: str, *, timeout_s: float) -> Outcome:
        """Return what is known of a task once everything that waited at the broker was read.

        Raises:
            BrokerUnavailable: It is not known, and the broker cannot be reached.
        """
        self.start()
        known = self._known(task_id)
        if known.state.is_final:
            return known
        deadline = self._clock.monotonic() + timeout_s
        self._tried.wait(timeout_s)
        left_s = max(0.0, deadline - self._clock.monotonic())
        if not self._caught_up.wait(min(left_s, GRACE_S)):
            raise self._absence()
        return self._known(task_id)

    def wait(self, task_id: str, *, timeout_s: float) -> Outcome:
        """Return a task's outcome once it is final, or what is known at the deadline.

        Raises:
            BrokerUnavailable: It is not known, and the broker cannot be reached.
        """
        self.start()
        with self._watches.added(Watch(task_id, until_final=True)) as watch:
            watch.tell(self._known(task_id))
            watch.over.wait(timeout_s)
        if not watch.over.is_set() and not self._caught_up.is_set():
            raise self._absence()
        return watch.outcome

    def _absence(self) -> BrokerUnavailable:
        if self._failure is None:
            return unavailable(self._broker.url, "it does not answer")
        return BrokerUnavailable(self._failure)

    def _known(self, task_id: str) -> Outcome:
        payload = self._recent.get(task_id) or self._kept.fetch_result(task_id)
        return PENDING if payload is None else outcome_of(payload)

    # --- the greenlet that consumes --------------------------------------------------------------

    def _run(self) -> None:
        while True:
            try:
                self._collect()
            except Exception as exc:  # noqa: BLE001 - the greenlet goes on; the broker has it all
                self._note_failure(exc)
            gevent.sleep(self._pause_s * random.uniform(0.5, 1))  # noqa: S311 - spreads load
            self._pause_s = min(RECONNECT_S_MAX, self._pause_s * 2)

    def _collect(self) -> None:
        """Connect, and consume until that fails; raises whatever a transport raises."""
        line = Line(self._broker, self._name, with_heartbeat=True)
        in_peace = False
        try:
            self._open(line)
            self._consume(line)
        except gevent.GreenletExit:
            in_peace = True
            raise
        finally:
            self._caught_up.clear()
            self._batch = []
            line.leave(in_peace=in_peace)

    def _open(self, line: Line) -> None:
        with answering(self._broker, OPEN_TIMEOUT_S):
            channel = line.open()
            queue = self.reply_queue(channel)
            self._backlog = queue.queue_declare().message_count
            channel.basic_qos(0, BATCH_MAX, False)
            Consumer(channel, [queue], auto_declare=False, on_message=self._take).consume()
        self._note_progress(0)

    def _consume(self, line: Line) -> None:
        while True:
            try:
                line.drain(TICK_S)
                while len(self._batch) < BATCH_MAX:
                    line.drain(GATHER_S)
            except TimeoutError:
                line.check()
            self._keep()
            self._failure, self._pause_s = None, RECONNECT_S_MIN

    def _take(self, message: Message) -> None:
        """Tell who waits; it is kept and acknowledged with those that come along with it."""
        task_id = str(message.properties.get("correlation_id"))
        reply = _Reply(message, task_id, _payload(message))
        self._batch.append(reply)
        if origin_hint(task_id) == self._hint:
            self._recent.put(task_id, reply.payload)
            self._watches.tell(task_id, outcome_of(reply.payload))

    def _keep(self) -> None:
        """Keep what has come, all of it in one commit of the store, and acknowledge it."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        keepers = [gevent.spawn(self._keep_one, reply) for reply in batch if self._is_kept(reply)]
        gevent.joinall(keepers, raise_error=True)
        batch[-1].message.ack(multiple=True)
        self._note_progress(len(batch))

    def _is_kept(self, reply: _Reply) -> bool:
        """Tell whether a reply is the end of a task of ours."""
        if origin_hint(reply.task_id) != self._hint:
            logger.warning("a reply to %r came here, which no task of ours has", reply.task_id)
            return False
        return outcome_of(reply.payload).state.is_final

    def _keep_one(self, reply: _Reply) -> None:
        try:
            self._kept.keep_result(reply.task_id, reply.payload, self._clock.wall() + KEPT_S)
        except TooLarge as exc:
            logger.warning("the result of %s cannot be kept: %s", reply.task_id, exc)

    def _note_progress(self, count: int) -> None:
        self._backlog -= count
        if self._backlog <= 0:
            self._caught_up.set()
            self._tried.set()

    def _note_failure(self, exc: Exception) -> None:
        level = logging.WARNING if self._failure is None else logging.DEBUG
        told = exc if isinstance(exc, CymeError) else unavailable(self._broker.url, exc)
        self._failure = str(told)
        self._tried.set()
        logger.log(level, "results stay with the broker for the moment: %s", self._failure)


def _payload(message: Message) -> bytes:
    """Return a result's JSON; it is decoded where it is read."""
    if message.content_type != "application/json":
        return UNREADABLE_PAYLOAD
    body = message.body
    return bytes(body) if isinstance(body, bytes | memoryview) else str(body).encode()
